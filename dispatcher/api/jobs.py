"""Routes of jobs: found in a batch by filters, and one with its history."""

from typing import Annotated

from fastapi import APIRouter, Query

from dispatcher.api import convert
from dispatcher.api.security import RuntimeDep
from dispatcher.schema import responses
from dispatcher.schema.states import JobState
from dispatcher.service.jobs import JobFilter, list_jobs, show_job

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get("/batches/{batch}/jobs")
async def list_batch_jobs(
    batch: str,
    parts: RuntimeDep,
    state: Annotated[frozenset[JobState], Query(description="May be given several times.")] = frozenset(),
    category: Annotated[frozenset[str], Query(description="May be given several times.")] = frozenset(),
    reference: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[str, Query(max_length=40, description="In international form; the plus may be left out.")] = "",
    after: Annotated[int, Query(ge=-1, le=10**9)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> responses.JobPage:
    """Jobs in the order of their rows. `next` goes into `after`; a short page may still have more behind it."""
    wanted = JobFilter(
        states=frozenset(convert.STATES[name] for name in state),
        categories=category,
        reference=reference,
        number=_e164(number),
    )
    return convert.job_page(await list_jobs(parts.store, batch, wanted, after=after, limit=limit))


@router.get("/jobs/{job}")
async def show_one_job(job: str, parts: RuntimeDep) -> responses.JobStory:
    """One job with the history of its attempts and a sentence on what it waits for."""
    return convert.job_story(await show_job(parts.store, job))


def _e164(text: str) -> str:
    """A plus sign in a query arrives as a blank, and people write numbers with dashes."""
    digits = "".join(character for character in text if character.isdigit())
    return f"+{digits}" if digits else ""
