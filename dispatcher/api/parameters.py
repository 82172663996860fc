"""Refuses query parameters that a route does not have: a misspelled filter would be no filter."""

from collections.abc import Callable, Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from dispatcher.core.closed_sets import unknown_word
from dispatcher.service.errors import InvalidInput

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
