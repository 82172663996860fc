"""The models of the API's JSON: described, lenient for a client and strict for the API."""

import subprocess
import sys
from datetime import UTC, datetime
from inspect import getmembers, isclass

import pytest
from pydantic import BaseModel, ValidationError

from dispatcher.api.validation import CHECKS
from dispatcher.core.batch import BatchState as CoreBatchState
from dispatcher.core.job import FINAL, JOB_STATES
from dispatcher.core.options import FaxOptions
from dispatcher.schema import requests, responses
from dispatcher.schema.requests import NewBatch, NewRerun, Options, Rate, Request, Resume, Start
from dispatcher.schema.states import FINAL_STATES, BatchState, JobState

MODELS = [
    model
    for module in (requests, responses)
    for _, model in getmembers(module, isclass)
    if issubclass(model, BaseModel) and model.__module__ == module.__name__
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_described_in_a_sentence(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_names_of_states_are_those_of_the_core() -> None:
    assert set(JobState.__args__) == {state.label for state in JOB_STATES}  # type: ignore[attr-defined]
    assert set(FINAL_STATES) == {state.label for state in FINAL}
    assert set(BatchState.__args__) == {state.value for state in CoreBatchState}  # type: ignore[attr-defined]


def test_the_options_of_the_api_are_the_fax_options() -> None:
    assert Options.model_fields.keys() == FaxOptions.__dataclass_fields__.keys()


BAD: list[tuple[type[Request], dict[str, object]]] = [
    (NewBatch, {"name": "n", "weight": 101}),
    (NewBatch, {"name": ""}),
    (NewBatch, {"name": "n", "default_country": "Atlantis"}),
    (NewBatch, {"name": "n", "options": {"header_time_zone": "Mars/Olympus"}}),
    (NewBatch, {"name": "n", "start_at": "2099-01-01T00:00:00"}),
    (Rate, {}),
    # pydantic would take these for numbers, times and yes or no
    (Rate, {"per_day": False}),
    (Rate, {"per_minute": "5"}),
    (Rate, {"per_second": True}),
    (NewBatch, {"name": "n", "weight": True}),
    (NewBatch, {"name": "n", "start_at": 4_070_908_800}),
    (NewBatch, {"name": "n", "deadline": "4070908800"}),
    (NewBatch, {"name": "n", "ignore_dead_numbers": "yes"}),
    (NewBatch, {"name": "n", "options": {"header_page_numbers": 1}}),
    (Start, {"allow_warnings": "false"}),
    (Start, {"allow_repeat": 1}),
    (NewRerun, {"states": ["failed"], "start": "no", "reason": "n"}),
    (Resume, {"accept_rollback": 1}),
]


@pytest.mark.parametrize(("model", "body"), BAD)
def test_only_the_api_enforces_constraints(model: type[Request], body: dict[str, object]) -> None:
    """A client does not refuse what a newer API may accept."""
    model.model_validate(body)
    with pytest.raises(ValidationError):
        model.model_validate(body, context=CHECKS)


def test_a_request_sends_only_what_was_set() -> None:
    new = NewBatch(name="n", options=FaxOptions(sender="+12025550100"), deadline=None)
    assert new.sent() == {"name": "n", "options": {"from": "+12025550100"}}


def test_times_are_written_in_utc_with_milliseconds() -> None:
    hold = responses.Hold(scope="account", since=datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC))
    assert hold.model_dump(mode="json")["since"] == "2026-01-02T03:04:05.678Z"


def test_a_client_reads_a_word_of_a_newer_api() -> None:
    assert responses.Account.model_validate({"limited_by": "moon"}).limited_by == "moon"


def test_the_client_imports_nothing_of_the_server() -> None:
    """``bulkfax --help`` would take a second longer."""
    script = "import sys, dispatcher.client; print(*{'phonenumbers', 'fastapi', 'redis'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == ""
