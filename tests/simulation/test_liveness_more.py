"""As ``test_liveness.py``, with other seeds: files are what runs side by side."""

import pytest

from tests.simulation.many import run_histories

_FIRST, _EACH, _HISTORIES = 61, 10, 60


@pytest.mark.parametrize("first", range(_FIRST, _FIRST + _HISTORIES, _EACH))
def test_more_histories_of_everything_that_may_go_wrong(simulated_url: str, first: int) -> None:
    histories = run_histories(simulated_url, range(first, first + _EACH))
    assert histories.histories == _EACH
    assert not histories.wrong, "\n\n".join(map(str, histories.wrong))
