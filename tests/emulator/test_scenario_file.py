"""Scenario files: their contents and error messages."""

from pathlib import Path

import pytest

from dispatcher.emulator import ScenarioError, parse_scenario, read_scenario
from dispatcher.emulator.scenario import CallbackFault, Outcome, RequestFault

EXAMPLES = Path(__file__).parents[2] / "examples" / "scenarios"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_every_example_can_be_read(path: Path) -> None:
    read_scenario(path)


def test_the_scenario_in_the_documentation_can_be_read() -> None:
    page = (EXAMPLES.parents[1] / "docs" / "emulator.md").read_text()
    scenario = parse_scenario(page.partition("```toml\n")[2].partition("```")[0])
    assert scenario.outcome("+12025550142", 2) == Outcome()


def test_the_messy_example_has_at_least_ten_ways_to_fail_and_none_that_stops_an_account() -> None:
    scenario = read_scenario(EXAMPLES / "messy.toml")
    ends = {(end.error_type, end.error_code) for _, end in scenario.outcomes.shares if end}
    assert len(ends) >= 10
    assert {"CALL_ERROR", "FAX_ERROR", "DOCUMENT_CONVERSION_ERROR"} <= {kind for kind, _ in ends}
    assert ("FAX_ERROR", 133) not in ends
    statuses = {fault.status for _, fault in scenario.requests.shares if fault}
    assert not statuses & {401, 402, 403, 404}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("busy", Outcome(error_type="CALL_ERROR", error_code=17)),
        ("FAX_ERROR 8", Outcome(error_type="FAX_ERROR", error_code=8)),
        ("NEW_ERROR 999", Outcome(error_type="NEW_ERROR", error_code=999)),
        ("stuck", Outcome(stuck=True)),
        ("delivered", Outcome()),
    ],
)
def test_an_outcome_is_a_short_name_or_a_type_with_a_code(name: str, outcome: Outcome) -> None:
    assert parse_scenario(f'outcomes = "{name}"').outcome("+12025550101", 0) == outcome


def test_a_named_outcome_says_pages_and_seconds() -> None:
    scenario = parse_scenario("""
        outcomes = "half"
        [named.half]
        error = "FAX_ERROR 8"
        pages_sent = 1
        seconds = 7
    """)
    expected = Outcome(error_type="FAX_ERROR", error_code=8, pages_sent=1, seconds=7.0)
    assert scenario.outcome("+12025550101", 0) == expected


@pytest.mark.parametrize(
    ("text", "kind", "accepts", "status", "retry_after"),
    [
        ("500_before", "status", False, 500, ""),
        ("500_after", "status", True, 500, ""),
        ("429 retry-after 7", "status", False, 429, "7"),
        ("503_after retry-after 1", "status", True, 503, "1"),
        ("402", "status", False, 402, ""),
        ("drop_before", "drop", False, 0, ""),
        ("drop_after", "drop", True, 0, ""),
        ("stall", "stall", True, 0, ""),
        ("stall_before", "stall", False, 0, ""),
    ],
)
def test_a_request_fault_occurs_before_or_after_acceptance(
    text: str, kind: str, accepts: bool, status: int, retry_after: str
) -> None:
    fault = parse_scenario(f'requests = "{text}"').request_fault("+12025550101", 0)
    expected = RequestFault(name=text, kind=kind, accepts=accepts, status=status, retry_after=retry_after)
    assert fault == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lost", CallbackFault(kind="lost")),
        ("late 2.5", CallbackFault(kind="late", seconds=2.5)),
        ("late", CallbackFault(kind="late", seconds=5.0)),
        ("doubled", CallbackFault(kind="doubled")),
        ("doubled 1", CallbackFault(kind="doubled", seconds=1.0)),
        ("early", CallbackFault(kind="early")),
        ("out_of_order", CallbackFault(kind="out_of_order", seconds=5.0)),
        ("ok", None),
    ],
)
def test_a_callback_fault_may_say_seconds(text: str, fault: CallbackFault | None) -> None:
    assert parse_scenario(f'callbacks = "{text}"').callback_fault("+12025550101", 0) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "sed: unknown key; allowed: seed,"),
        ("seed = -1", "seed: must be a whole number"),
        ("latency = 'x'", "latency: must be a number of seconds"),
        ("latency = [2, 1]", "latency: the first must not be more"),
        ("outcomes = 'bussy'", "outcomes: unknown outcome 'bussy'; allowed: delivered, stuck,"),
        ("[outcomes]\nbusy = 2", "outcomes.busy: must be a share between 0 and 1"),
        ("[outcomes]\nbusy = 0.6\nno_answer = 0.6", "outcomes: the shares add up to 1.2"),
        ("outcomes = []", "outcomes: must be a name, a list of names, or a table of shares"),
        ("requests = '500_maybe'", "requests: unknown request outcome '500_maybe'; allowed: ok,"),
        ("requests = '299'", "requests: unknown body '' for 299; allowed: empty, html"),
        ("requests = '199'", "requests: unknown request outcome '199'"),
        ("callbacks = 'gone'", "callbacks: unknown callback outcome 'gone'; allowed: ok, lost,"),
        ("callbacks = 'lost 3'", "callbacks: unknown callback outcome 'lost 3'"),
        ("callbacks = 'late soon'", "callbacks: 'late soon': 'soon' is not a number of seconds"),
        ("[[numbers]]\noutcomes = 'busy'", 'numbers[0]: needs either "to" or "prefix"'),
        ("[[numbers]]\nto = '0123'", "numbers[0].to: must be a number with +"),
        ("[[numbers]]\nto = '+12025550101'\nattempt = []", "numbers[0].attempt: unknown key"),
        ("[[numbers]]\nto = '+12025550101'\nattempts = 'busy'", "numbers[0].attempts: must be a list"),
        ("[[outages]]\nstart = 1", "outages[0].seconds: is missing"),
        ("[[outages]]\nseconds = 1\nhow = 'x'", "outages[0].how: must be one of 503, 500, drop"),
        ("numbers = 3", "numbers: must be a list of tables"),
        ("named = 3", "named: must be a table"),
        ("[named.x]\nerror = 5", "named.x.error: unknown outcome 5"),
        ("a = ", "not TOML:"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(text)
    assert str(raised.value).startswith(message)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.toml: No such file"):
        read_scenario(tmp_path / "none.toml")
