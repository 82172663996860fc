"""Tests of the fault plan: it is repeatable, complete and in order."""

import tomllib
from collections import Counter

import pytest

from dispatcher.core.policy.policy import policy_from
from tests.chaos.cluster import policy_text
from tests.chaos.plan import Freeze, Kill, OutageKind, PlannedFault, ProviderOutage, Target, amounts_for, make_plan

FREEZE_S = (7.0, 16.0)


@pytest.fixture(params=range(10))
def plan(request: pytest.FixtureRequest) -> tuple[PlannedFault, ...]:
    """Plans of several seeds."""
    return make_plan(request.param, amounts_for(2000, freeze_s=FREEZE_S))


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    amounts = amounts_for(2000, freeze_s=FREEZE_S)
    assert make_plan(7, amounts) == make_plan(7, amounts)
    assert make_plan(7, amounts) != make_plan(8, amounts)


@pytest.mark.parametrize(("jobs", "kills"), [(1, 10), (2000, 10), (20_000, 57), (100_000, 285)])
def test_there_are_ten_kills_and_more_with_more_jobs(jobs: int, kills: int) -> None:
    plan = make_plan(1, amounts_for(jobs, freeze_s=FREEZE_S))
    assert sum(isinstance(planned.fault, Kill) for planned in plan) == kills


def test_every_target_is_killed_as_often_as_every_other(plan: tuple[PlannedFault, ...]) -> None:
    kills = Counter(planned.fault.target for planned in plan if isinstance(planned.fault, Kill))
    assert kills == dict.fromkeys(Target, 2)


def test_workers_are_frozen_and_the_provider_has_every_kind_of_outage(plan: tuple[PlannedFault, ...]) -> None:
    freezes = [planned.fault.seconds for planned in plan if isinstance(planned.fault, Freeze)]
    assert freezes
    assert all(FREEZE_S[0] <= seconds <= FREEZE_S[1] for seconds in freezes)
    assert {planned.fault.kind for planned in plan if isinstance(planned.fault, ProviderOutage)} == set(OutageKind)


def test_faults_follow_each_other_while_jobs_are_in_progress(plan: tuple[PlannedFault, ...]) -> None:
    moments = [planned.moment.progress for planned in plan]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 0.95
    assert all(planned.moment.pause_s >= 1 for planned in plan)


def test_the_search_period_can_be_longer_than_the_drill() -> None:
    policy = policy_from(tomllib.loads(policy_text(3600)))
    assert policy.lookups_s == (1, 2, 4, 8, 3600)
    assert policy_from(tomllib.loads(policy_text())).lookups_s == (1, 2, 4, 8)
