"""Recipient lists as customers send them: bytes in, E.164 recipients and refused rows out.

Everything here works on a stream, keeps no more than a piece of it in memory, and knows no store and no web framework.
"""

from dispatcher.api.intake.countries import region_of_country
from dispatcher.api.intake.errors import (
    BrokenJson,
    DuplicateColumn,
    EmptyInput,
    IntakeError,
    NoNumberColumn,
    NotText,
    UnknownDefaultCountry,
    UnsupportedContentType,
    WrongEncoding,
)
from dispatcher.api.intake.numbers import AcceptedNumber, RefusedNumber, normalize_number
from dispatcher.api.intake.reading import read_rows
from dispatcher.api.intake.reasons import RefusalReason
from dispatcher.api.intake.rows import Slice

__all__ = [
    "AcceptedNumber",
    "BrokenJson",
    "DuplicateColumn",
    "EmptyInput",
    "IntakeError",
    "NoNumberColumn",
    "NotText",
    "RefusalReason",
    "RefusedNumber",
    "Slice",
    "UnknownDefaultCountry",
    "UnsupportedContentType",
    "WrongEncoding",
    "normalize_number",
    "read_rows",
    "region_of_country",
]
