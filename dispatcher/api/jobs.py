"""Routes of jobs: list those of a batch, look some up over all batches, and show one with its history."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from dispatcher.api import convert, validation
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.numbers import e164_of, meanings
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.api.parameters import AfterRow, BatchPath, JobPath, LimitOf100, LimitOf1000, row_of
from dispatcher.api.problems import raises
from dispatcher.api.validation import QueryTime
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.times import to_ms
from dispatcher.runtime import Runtime
from dispatcher.schema import requests, responses
from dispatcher.schema.states import JobState
from dispatcher.service import errors
from dispatcher.service.errors import InvalidInput
from dispatcher.service.job_cancellation import cancel_jobs
from dispatcher.service.jobs import list_jobs, parsed_job, show_job
from dispatcher.service.lookup import look_up
from dispatcher.service.views import find_batch

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get(
    "/batches/{batch}/jobs",
    response_model=responses.JobPage,
    dependencies=[PAGE_TURN],
    responses=raises(errors.Missing, errors.Deleted),
)
async def list_batch_jobs(
    batch: BatchPath,
    runtime: RuntimeDep,
    state: Annotated[
        frozenset[JobState], Query(description="Only jobs in this state; may be given several times.")
    ] = frozenset(),
    category: Annotated[
        frozenset[Annotated[str, *requests.known_word(requests.CATEGORIES)]],
        Query(description="Only jobs whose latest failure is of this category; may be given several times."),
    ] = frozenset(),
    reference: Annotated[str, Query(max_length=200, description="The producer's own id of the recipient.")] = "",
    number: Annotated[
        str, Query(max_length=100, description="In international form, or in that of the batch's default country.")
    ] = "",
    after: AfterRow = "",
    limit: LimitOf1000 = 100,
) -> Response:
    """List jobs of a batch by row. A short page may have more jobs after it."""
    job_filter = JobFilter(
        states=frozenset(convert.STATES[name] for name in state),
        categories=category,
        references=frozenset(filter(None, [reference])),
        numbers=_numbers(number, await _country(runtime, batch) if number else ""),
    )
    page = await list_jobs(runtime.store, batch, job_filter, after=row_of(after), limit=limit)
    return await page_response(convert.job_page, page)


@router.get("/jobs", response_model=responses.LookupPage, dependencies=[PAGE_TURN])
async def look_up_jobs(
    runtime: RuntimeDep,
    number: Annotated[
        str, Query(max_length=100, description="In international form, or in that of the default country.")
    ] = "",
    reference: Annotated[str, Query(max_length=200, description="The producer's own id of the recipient.")] = "",
    state: Annotated[
        frozenset[JobState], Query(description="Only jobs in this state; may be given several times.")
    ] = frozenset(),
    since: Annotated[QueryTime | None, Query(description="Only jobs whose state has changed since then.")] = None,
    after: Annotated[
        str, Query(max_length=40, description="`next` of the page before; empty for the first page.")
    ] = "",
    limit: LimitOf100 = 20,
) -> Response:
    """Look up jobs of all batches by number, by reference, or by both; the newest come first.

    Jobs can be looked up for 90 days (`retention.lookup` of the policy), and as long as their batch exists. A
    short page may have more jobs after it.
    """
    if not number and not reference:
        raise InvalidInput({"number": "give a number or a reference; the jobs of one batch are at /v1/batches/ID/jobs"})
    job_filter = JobFilter(
        numbers=_numbers(number, runtime.settings.default_country),
        references=frozenset(filter(None, [reference])),
        states=frozenset(convert.STATES[name] for name in state),
        since_ms=to_ms(since) if since else 0,
    )
    return await page_response(convert.lookup_page, await look_up(runtime.store, job_filter, after=after, limit=limit))


@router.post(
    "/batches/{batch}/jobs/cancel",
    responses=raises(errors.Missing, errors.Deleted, errors.ActionNotAllowed),
)
async def cancel_batch_jobs(
    batch: BatchPath, body: validation.CancelJobs, runtime: RuntimeDep
) -> responses.CancelledJobs:
    """Cancel single jobs of a batch. No cancelled job is faxed after the answer; of one that has ended, none is left.

    Jobs whose call is under way are counted in `in_flight` and not cancelled. While `next` is not null, more rows have
    to be looked at: repeat the request with it as `after`. With `preview`, jobs are only counted.
    """
    country = await _country(runtime, batch)
    named = convert.job_filter(body, body.states, e164_of(body.numbers, country))
    if body.jobs:
        named = replace(named, rows=_rows(batch, body.jobs))
    done = await cancel_jobs(
        runtime.store, batch, named, reason=body.reason.strip(), preview=body.preview, after=row_of(body.after)
    )
    return responses.CancelledJobs(
        batch=batch, jobs=done.jobs, in_flight=done.in_flight, preview=body.preview, next=convert.cursor(done.next_row)
    )


def _rows(batch: str, names: Sequence[str]) -> frozenset[int]:
    """Return the rows of jobs. Raises InvalidInput for one of another batch."""
    rows = set[int]()
    for position, name in enumerate(names):
        job = parsed_job(name)
        if job is None or job.batch != batch:
            raise InvalidInput({f"jobs[{position}]": f"this is no job of batch {batch}: a job's id is <batch>.<row>"})
        rows.add(job.row)
    return frozenset(rows)


@router.get("/jobs/{job}", responses=raises(errors.Missing, errors.Deleted))
async def get_job(job: JobPath, runtime: RuntimeDep) -> responses.JobStory:
    """Show one job with the history of its attempts and a sentence that says what it waits for."""
    return convert.job_story(await show_job(runtime.store, job))


async def _country(runtime: Runtime, batch: str) -> str:
    return (await find_batch(runtime.store, batch)).definition.default_country


def _numbers(text: str, country: str) -> frozenset[str]:
    """Return the numbers that a text may mean: a plus sign arrives as a blank, and people leave it out."""
    if not text:
        return frozenset()
    numbers = meanings(text, country)
    if not numbers:
        raise InvalidInput({"number": "this is no fax number: write it with a plus sign (%2B) and its country code"})
    return numbers
