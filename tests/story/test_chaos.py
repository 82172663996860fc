"""A small chaos drill: ten kills, a frozen worker, and a provider with every kind of fault.

The large drill is ``./run chaos --jobs 20000``.
"""

import tomllib
from pathlib import Path

import pytest

from dispatcher.core.policy.policy import policy_from
from tests.chaos.cluster import POLICY
from tests.chaos.drill import Drill, DrillOptions

pytestmark = pytest.mark.story


def test_nothing_is_lost_doubled_or_wrong_while_everything_is_killed(tmp_path: Path) -> None:
    policy = policy_from(tomllib.loads(POLICY.read_text()))
    line, clean = Drill(DrillOptions(jobs=2000, seed=1, seconds=540, policy=policy), tmp_path).run()
    result = {name: line[name] for name in ("kills", "lost", "doubled", "wrong_state", "count_errors")}
    assert result == {"kills": 10, "lost": 0, "doubled": 0, "wrong_state": 0, "count_errors": 0}
    assert clean, "not all planned faults were injected"
