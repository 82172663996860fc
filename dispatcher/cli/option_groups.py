"""Options that several commands share, as the fields of a named tuple."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


def with_options(parameter: str, group: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command the fields of ``group``, a named tuple, as options.

    The command gets them together, as the parameter of this name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [known for name, known in inspect.signature(command).parameters.items() if name != parameter]
        defaults: dict[str, Any] = group._field_defaults
        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
            for name, annotation in inspect.get_annotations(group).items()
        ]

        @wraps(command)
        def grouped(**values: Any) -> None:
            together = group(**{name: values.pop(name) for name in group._fields})
            command(**{parameter: together}, **values)

        signature = inspect.Signature([*own, *options])
        grouped.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
        grouped.__annotations__ = {name: known.annotation for name, known in signature.parameters.items()}
        return grouped

    return decorate
