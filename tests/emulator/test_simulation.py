"""The plan of a fax: calls, retries, pages and durations."""

import pytest

from dispatcher.emulator import parse_scenario
from dispatcher.emulator.scenario import Outcome, Scenario
from dispatcher.emulator.simulation import TEST_NUMBER, SimulationPlan, pages_sent, plan_calls

NUMBER = "+12025550101"


def plan_fax(scenario: Scenario, *, to: str = NUMBER, first: int = 0, retries: int = 3) -> SimulationPlan:
    return plan_calls(scenario, to, first, pages=2, max_retries=retries, retry_delay_s=60)


def test_a_failing_call_is_repeated_up_to_max_retries() -> None:
    busy = parse_scenario('outcomes = "busy"')
    assert plan_fax(busy, retries=3).calls == 4
    assert plan_fax(busy, retries=0).calls == 1


def test_redials_wait_for_the_retry_delay() -> None:
    busy = parse_scenario('outcomes = "busy"')
    seconds = plan_fax(busy, retries=3).seconds
    assert seconds is not None
    assert 180 < seconds < 200


def test_redials_go_on_in_the_sequence_of_the_number() -> None:
    scenario = parse_scenario(f'[[numbers]]\nto = "{NUMBER}"\nattempts = ["busy", "busy", "delivered"]')
    plan = plan_fax(scenario)
    assert (plan.calls, plan.outcome.error_type) == (3, None)
    assert plan_fax(scenario, first=1, retries=0).outcome.error_code == 17


def test_a_document_that_cannot_be_converted_is_not_retried() -> None:
    plan = plan_fax(parse_scenario('outcomes = "conversion_failed"'))
    assert plan.calls == 1


def test_a_stuck_fax_never_ends() -> None:
    assert plan_fax(parse_scenario('outcomes = "stuck"')).seconds is None


def test_the_free_test_number_always_takes_the_fax() -> None:
    assert plan_fax(parse_scenario('outcomes = "busy"'), to=TEST_NUMBER).outcome.error_type is None


def test_a_one_page_fax_takes_about_five_seconds() -> None:
    plan = plan_calls(Scenario(), NUMBER, 0, pages=1, max_retries=0, retry_delay_s=60)
    assert plan.seconds is not None
    assert 4 < plan.seconds < 8


@pytest.mark.parametrize(
    ("outcome", "sent"),
    [
        (Outcome(), 3),
        (Outcome(error_type="CALL_ERROR", error_code=17), 0),
        (Outcome(error_type="FAX_ERROR", error_code=8), 2),
        (Outcome(error_type="FAX_ERROR", error_code=12), 0),
        (Outcome(error_type="FAX_ERROR", error_code=12, pages_sent=1), 1),
        (Outcome(error_type="FAX_ERROR", error_code=12, pages_sent=9), 3),
    ],
)
def test_the_number_of_sent_pages_follows_from_the_error(outcome: Outcome, sent: int) -> None:
    assert pages_sent(outcome, 3) == sent
