"""Random histories: faxes leave within ten seconds while a job may be sent, and no job is lost or doubled."""

import pytest

from tests.simulation.many import assert_nothing_wrong

#: histories of each test, and of this file. ``test_liveness_more.py`` runs others in parallel, and
#: ``./run chaos --simulated`` as many as wanted
_EACH, _HISTORIES = 10, 40


@pytest.mark.parametrize("first", range(1, _HISTORIES, _EACH))
def test_histories_with_all_faults(simulated_url: str, first: int) -> None:
    assert_nothing_wrong(simulated_url, range(first, first + _EACH))
