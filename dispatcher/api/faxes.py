"""The routes of single faxes: each is an urgent batch with one recipient that starts at once."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from dispatcher.api import convert, validation
from dispatcher.api.allowing import AllowedDep, allowed
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.problems import raises
from dispatcher.core.job import Recipient
from dispatcher.recipients.number_reader import NumberReader
from dispatcher.recipients.numbers import RefusedNumber
from dispatcher.schema import requests, responses
from dispatcher.service import errors
from dispatcher.service.errors import InvalidInput
from dispatcher.service.jobs import show_job

router = APIRouter(prefix="/v1/faxes", tags=["faxes"])


@router.post(
    "",
    status_code=202,
    responses=raises(
        errors.Deleted,
        errors.ActionNotAllowed,
        errors.WarningsNotAllowed,
        errors.NumberSuppressed,
        errors.Repeated,
        errors.Conflict,
        errors.TooManyDrafts,
        errors.WrongCredentials,
    ),
)
async def send_fax(
    body: validation.NewFax,
    runtime: RuntimeDep,
    allowing: AllowedDep,
    response: Response,
    key: IdempotencyKey = None,
) -> responses.Job:
    """Send one fax, before all bulk batches.

    If documents have warnings, the answer is 409 with all of them until the request has `allow_warnings`.
    """
    definition = convert.fax_definition(body, runtime.settings.default_country)
    recipient = _recipient(body, NumberReader(definition.default_country, runtime.policy.destinations))
    view = await runtime.mailings.fax(definition, recipient, key, allowed(allowing, body))
    response.headers["Location"] = f"/v1/faxes/{view.id}"
    return convert.job(view)


@router.get("/{fax}", responses=raises(errors.Missing, errors.Deleted))
async def get_fax(
    fax: Annotated[str, Path(description="Id of the job, or of its batch.")], runtime: RuntimeDep
) -> responses.JobStory:
    """Show one fax with the history of its attempts, by the id of its job or of its batch."""
    return convert.job_story(await show_job(runtime.store, fax if "." in fax else f"{fax}.0"))


def _recipient(body: requests.NewFax, numbers: NumberReader) -> Recipient:
    number = numbers.read(body.to)
    if isinstance(number, RefusedNumber):
        raise InvalidInput({"to": number.sentence})
    return Recipient(
        line=1, number=number.number, region=number.region, reference=body.reference, fields=dict(body.fields)
    )
