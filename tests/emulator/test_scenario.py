"""The choices of a scenario: repeatable, and as frequent as their shares say."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.emulator import parse_scenario
from dispatcher.emulator.scenario import Choice, Scenario

NUMBER = "+12025550101"


def test_the_empty_scenario_delivers_without_faults() -> None:
    scenario = Scenario()
    assert scenario.outcome(NUMBER, 0).error_type is None
    assert scenario.request_fault(NUMBER, 0) is None
    assert scenario.callback_fault(NUMBER, 0) is None


def test_attempts_of_a_number_follow_in_order_and_the_last_repeats() -> None:
    scenario = parse_scenario(f'[[numbers]]\nto = "{NUMBER}"\nattempts = ["busy", "no_answer", "delivered"]')
    codes = [scenario.outcome(NUMBER, call).error_code for call in range(5)]
    assert codes == [17, 16, None, None, None]


def test_an_exact_number_wins_over_a_prefix_and_the_longest_prefix_over_shorter_ones() -> None:
    scenario = parse_scenario("""
        [[numbers]]
        prefix = "+1202"
        outcomes = "busy"
        [[numbers]]
        prefix = "+120255501"
        outcomes = "no_answer"
        [[numbers]]
        to = "+12025550101"
        outcomes = "bad_number"
    """)
    numbers = ("+12025550101", "+12025550102", "+12025559999", "+442079460101")
    assert [scenario.outcome(to, 0).error_code for to in numbers] == [34, 16, 17, None]


def test_the_general_choice_applies_where_a_number_rule_has_none() -> None:
    scenario = parse_scenario(f"""
        requests = "500_after"
        [[numbers]]
        to = "{NUMBER}"
        attempts = ["busy"]
    """)
    fault = scenario.request_fault(NUMBER, 0)
    assert fault is not None
    assert (fault.status, fault.accepts) == (500, True)


@given(st.integers(0, 2**32), st.integers(0, 50), st.sampled_from(["+12025550101", "+442079460102"]))
def test_the_same_seed_gives_the_same_outcome(seed: int, call: int, to: str) -> None:
    text = f"seed = {seed}\n[outcomes]\nbusy = 0.3\nno_answer = 0.3"
    assert parse_scenario(text).outcome(to, call) == parse_scenario(text).outcome(to, call)


def test_shares_come_out_about_as_often_as_they_say() -> None:
    scenario = parse_scenario("[outcomes]\nbusy = 0.2\nno_answer = 0.1")
    codes = [scenario.outcome(f"+1202555{i:04}", 0).error_code for i in range(4000)]
    assert 0.17 < codes.count(17) / 4000 < 0.23
    assert 0.08 < codes.count(16) / 4000 < 0.12


def test_faults_of_requests_and_outcomes_of_calls_are_independent() -> None:
    scenario = parse_scenario("[outcomes]\nbusy = 0.5\n[requests]\n500_after = 0.5")
    pairs = {
        (scenario.outcome(to, 0).error_code, scenario.request_fault(to, 0) is None)
        for to in (f"+1202555{i:04}" for i in range(100))
    }
    assert len(pairs) == 4


@given(st.floats(0, 1, exclude_max=True))
def test_shares_that_add_up_to_one_always_choose_an_item(chance: float) -> None:
    assert Choice(shares=((0.5, "a"), (0.5, "b"))).item_at(chance) in ("a", "b")


def test_an_outage_is_in_effect_from_its_start_until_before_its_end() -> None:
    scenario = parse_scenario('[[outages]]\nstart = 10\nseconds = 5\nhow = "drop"')
    in_effect = [scenario.outage_at(seconds) is not None for seconds in (9.9, 10, 14.9, 15)]
    assert in_effect == [False, True, True, False]
