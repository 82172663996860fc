"""Validation of requests: the constraints of the schema, with the checks that need data on numbers and time zones."""

from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, WrapValidator

from dispatcher.core.json_values import Excess, excess_of, is_encodable
from dispatcher.recipients.countries import region_of_country
from dispatcher.schema import requests
from dispatcher.schema.enforcement import ApiChecks

Body = TypeVar("Body", bound=requests.Request)


#: values of a body, which has a few hundred; each value too many would be a fault with a sentence of its own
_MAX_VALUES = 2_000
#: levels of objects and arrays in a body, which has three
_MAX_LEVELS = 16


def _known_country(text: str) -> str:
    region = region_of_country(text)
    if region is None:
        raise ValueError("this country is not known: give two letters, such as DE")
    return region


def _known_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this time zone is not known: give a name such as America/New_York") from error
    return text


CHECKS = ApiChecks(country=_known_country, time_zone=_known_zone)


def _check_json(value: object) -> None:
    """Raise ValueError for JSON that no model describes, and that could not be processed or written."""
    if isinstance(value, bytes):
        return  # the body of a request that is not said to be JSON: no model takes it
    match excess_of(value, max_levels=_MAX_LEVELS, max_values=_MAX_VALUES):
        case Excess.VALUES:
            raise ValueError(f"the body may have at most {_MAX_VALUES:,} values")
        case Excess.LEVELS:
            raise ValueError(f"the body may have at most {_MAX_LEVELS} levels of objects and arrays")
    if not is_encodable(value):
        raise ValueError("half a surrogate pair (\\ud800 to \\udfff) is no character; send the whole one")


def _enforced(model: type[Body]) -> WrapValidator:
    """Return the validator of a body that enforces the constraints of its schema."""

    def validate(value: object, _: object) -> Body:
        _check_json(value)
        return model.model_validate(value, context=CHECKS, from_attributes=True)

    return WrapValidator(validate)


#: a time among the query parameters
QueryTime = Annotated[AwareDatetime, AfterValidator(requests.time_in_range)]
NewBatch = Annotated[requests.NewBatch, _enforced(requests.NewBatch)]
NewFax = Annotated[requests.NewFax, _enforced(requests.NewFax)]
NewReruns = Annotated[requests.NewReruns, _enforced(requests.NewReruns)]
NewRerun = Annotated[requests.NewRerun, _enforced(requests.NewRerun)]
CancelJobs = Annotated[requests.CancelJobs, _enforced(requests.CancelJobs)]
ChangeBatch = Annotated[requests.ChangeBatch, _enforced(requests.ChangeBatch)]
StartBatch = Annotated[requests.StartBatch, _enforced(requests.StartBatch)]
NewWebhookEndpoint = Annotated[requests.NewWebhookEndpoint, _enforced(requests.NewWebhookEndpoint)]
ChangeWebhookEndpoint = Annotated[requests.ChangeWebhookEndpoint, _enforced(requests.ChangeWebhookEndpoint)]
Replay = Annotated[requests.Replay, _enforced(requests.Replay)]
NewSuppression = Annotated[requests.NewSuppression, _enforced(requests.NewSuppression)]
Rate = Annotated[requests.Rate, _enforced(requests.Rate)]
ReleaseHolds = Annotated[requests.ReleaseHolds, _enforced(requests.ReleaseHolds)]
Resume = Annotated[requests.Resume, _enforced(requests.Resume)]
