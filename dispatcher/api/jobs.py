"""Routes of jobs: list those of a batch by filters, and show one with its history."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.numbers import meanings
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.core.job_filter import JobFilter
from dispatcher.runtime import Runtime
from dispatcher.schema import requests, responses
from dispatcher.schema.states import JobState
from dispatcher.service.errors import InvalidInput
from dispatcher.service.jobs import list_jobs, show_job
from dispatcher.service.views import find_batch

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get("/batches/{batch}/jobs", response_model=responses.JobPage, dependencies=[PAGE_TURN])
async def list_batch_jobs(
    batch: str,
    runtime: RuntimeDep,
    state: Annotated[frozenset[JobState], Query(description="May be given several times.")] = frozenset(),
    category: Annotated[
        frozenset[Annotated[str, *requests.known_word(requests.CATEGORIES)]],
        Query(description="May be given several times."),
    ] = frozenset(),
    reference: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[
        str, Query(max_length=100, description="In international form, or in that of the batch's default country.")
    ] = "",
    after: Annotated[int, Query(ge=-1, le=10**9)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List jobs by row. Pass `next` as `after` to get the next page; a short page may have more jobs after it."""
    job_filter = JobFilter(
        states=frozenset(convert.STATES[name] for name in state),
        categories=category,
        references=frozenset(filter(None, [reference])),
        numbers=await _numbers(runtime, batch, number),
    )
    page = await list_jobs(runtime.store, batch, job_filter, after=after, limit=limit)
    return await page_response(convert.job_page, page)


@router.get("/jobs/{job}")
async def show_one_job(job: str, runtime: RuntimeDep) -> responses.JobStory:
    """Show one job with the history of its attempts and a sentence that says what it waits for."""
    return convert.job_story(await show_job(runtime.store, job))


async def _numbers(runtime: Runtime, batch: str, text: str) -> frozenset[str]:
    """Return the numbers that a text may mean: a plus sign arrives as a blank, and people leave it out."""
    if not text:
        return frozenset()
    country = (await find_batch(runtime.store, batch)).definition.default_country
    numbers = meanings(text, country)
    if not numbers:
        raise InvalidInput({"number": "this is no fax number: write it with a plus sign (%2B) and its country code"})
    return numbers
