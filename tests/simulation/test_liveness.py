"""While at least one job may be sent, a fax leaves within ten seconds; every batch ends; nobody is lost or doubled."""

import pytest

from tests.simulation.many import assert_all_well

#: histories of one test, and of this file. Those of ``test_liveness_more.py`` run beside them
_EACH, _HISTORIES = 10, 60


@pytest.mark.parametrize("first", range(1, _HISTORIES, _EACH))
def test_histories_of_everything_that_may_go_wrong(simulated_url: str, first: int) -> None:
    assert_all_well(simulated_url, range(first, first + _EACH))
