"""A failover to a server that is two seconds behind, with three servers, three Sentinels and real processes.

All cases, each also with replicas that confirm every write, are ``./run failover``.
"""

from pathlib import Path

import pytest

from tests.failover.cases import Failover
from tests.failover.drill import run_drill

pytestmark = pytest.mark.story


def test_what_a_failover_loses_is_noticed_reported_and_not_sent_twice(tmp_path: Path) -> None:
    result = run_drill(Failover.BEHIND, 0, 180, tmp_path)
    assert result.faults == []
    assert result.doubled == 0
    assert result.adopted > 0, "some sends were lost and came back from the provider's list"
