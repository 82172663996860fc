"""Route of events, for producers who rather poll than receive webhooks."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, AwareDatetime

from dispatcher.api import convert
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.pages import PAGE_TURN, page_response
from dispatcher.api.parameters import LimitOf1000
from dispatcher.core.batch_events import EventType
from dispatcher.schema import requests, responses
from dispatcher.service import events
from dispatcher.service.events import EventFilter, cursor_of

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("", response_model=responses.EventPage, dependencies=[PAGE_TURN])
async def list_events(
    runtime: RuntimeDep,
    type: Annotated[  # the name of the parameter
        frozenset[Annotated[str, *requests.known_word(requests.EVENT_TYPES)]],
        Query(description="Only events of this type; may be given several times."),
    ] = frozenset(),
    batch: Annotated[str, Query(max_length=64, description="Only events of this batch.")] = "",
    after: Annotated[str, Query(max_length=40, description="Id of an event, or `next` of the page before.")] = "",
    since: Annotated[
        Annotated[AwareDatetime, AfterValidator(requests.time_in_range)] | None,
        Query(description="Only events from this time on, instead of `after`."),
    ] = None,
    limit: LimitOf1000 = 100,
) -> Response:
    """List events in the order in which they happened. They are kept for seven days (`retention.events`).

    Pass `next` as `after` to get the next page, and later what is new. A short page may have more after it: `more`.
    """
    criteria = EventFilter(types=frozenset(map(EventType, type)), batch=batch)
    page = await events.list_events(runtime.store, criteria, after=cursor_of(after, convert.ms(since)), limit=limit)
    return await page_response(convert.event_page, page)
