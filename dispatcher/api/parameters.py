"""Parameters that several routes have, and the refusal of those that a route does not have.

A misspelled filter would be no filter.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from dispatcher.core.closed_sets import unknown_word
from dispatcher.service.errors import InvalidInput

BatchPath = Annotated[str, Path(description="Id of the batch.")]
JobPath = Annotated[str, Path(description="Id of the job, `<batch>.<row>`.")]
DocumentPath = Annotated[str, Path(description="Id of the document: the SHA-256 of its bytes.")]
NumberPath = Annotated[str, Path(description="The number in any form; a plus sign may be written as `%2B`.")]

_NEXT = "`next` of the page before; empty for the first page."
After = Annotated[str, Query(max_length=200, description=_NEXT)]
#: of pages in the order of rows, whose cursors are numbers
AfterRow = Annotated[str, Query(pattern="^[0-9]{0,9}$", description=_NEXT)]
AfterLine = Annotated[str, Query(pattern="^[0-9]{0,12}$", description=_NEXT)]
_LIMIT = "Maximum number of entries of the page."
LimitOf100 = Annotated[int, Query(ge=1, le=100, description=_LIMIT)]
LimitOf1000 = Annotated[int, Query(ge=1, le=1000, description=_LIMIT)]


def row_of(cursor: str) -> int:
    """Return the row after which a page begins; -1 for the first page."""
    return int(cursor) if cursor else -1


#: the parameters of the routes that were used, by their functions
_known: dict[Callable[..., object], frozenset[str]] = {}


async def _refuse_unknown(request: Request) -> None:
    known = _parameters(request.scope["route"])
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise InvalidInput({name[:100]: _sentence(name, known) for name in unknown[:10]})


#: dependency of all routes below ``/v1``
KNOWN_PARAMETERS = Depends(_refuse_unknown)


def _sentence(name: str, known: frozenset[str]) -> str:
    return unknown_word(name, known) if known else "this route has no query parameters: leave it out"


def _parameters(route: APIRoute) -> frozenset[str]:
    if route.endpoint not in _known:
        _known[route.endpoint] = frozenset(_names(route.dependant))
    return _known[route.endpoint]


def _names(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a route and its dependencies."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (field.alias or name for name, field in model.model_fields.items())
        else:
            yield parameter.alias
    for dependency in dependant.dependencies:
        yield from _names(dependency)
