"""As ``test_liveness.py``, with other seeds: files are what runs side by side."""

import pytest

from tests.simulation.many import assert_all_well

_FIRST, _EACH, _HISTORIES = 61, 10, 60


@pytest.mark.parametrize("first", range(_FIRST, _FIRST + _HISTORIES, _EACH))
def test_more_histories_of_everything_that_may_go_wrong(simulated_url: str, first: int) -> None:
    assert_all_well(simulated_url, range(first, first + _EACH))
