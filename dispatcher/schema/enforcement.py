"""Constraints on requests: shown to everyone in the JSON schema, but checked only by the API.

A client must not refuse what a newer API accepts, so it sends its requests unchecked. The API validates the same models
with a context, ``ApiChecks``; only then are the constraints enforced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationInfo, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, SchemaValidator, core_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiChecks:
    """Checks that the API supplies, because they need its data on countries and time zones.

    Each returns the value to keep or raises ValueError.
    """

    country: Callable[[str], str]
    time_zone: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class EnforcedByApi:
    """In ``Annotated``: the API checks a value as ``narrow``, a client only as the annotated type.

    The JSON schema shows ``narrow``.
    """

    narrow: Any

    def __get_pydantic_core_schema__(self, wide: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        lenient = SchemaValidator(handler(wide))

        def validate(value: object, enforce: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
            return lenient.validate_python(value) if info.context is None else enforce(value)

        return core_schema.with_info_wrap_validator_function(validate, handler.generate_schema(self.narrow))


def check_country(text: str, info: ValidationInfo) -> str:
    """Check a country with the API's check."""
    return _checks(info).country(text)


def check_time_zone(text: str, info: ValidationInfo) -> str:
    """Check the name of a time zone with the API's check."""
    return _checks(info).time_zone(text)


def _checks(info: ValidationInfo) -> ApiChecks:
    assert isinstance(info.context, ApiChecks)
    return info.context
