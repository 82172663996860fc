"""As ``test_liveness.py``, with other seeds. Tests are distributed by file, so the two files run in parallel."""

import pytest

from tests.simulation.many import assert_nothing_wrong

#: Some later histories last 80 simulated hours, because a fax of theirs never ends, and take 40 s each.
_FIRST, _EACH, _HISTORIES = 61, 10, 40


@pytest.mark.parametrize("first", range(_FIRST, _FIRST + _HISTORIES, _EACH))
def test_more_histories_with_all_faults(simulated_url: str, first: int) -> None:
    assert_nothing_wrong(simulated_url, range(first, first + _EACH))
