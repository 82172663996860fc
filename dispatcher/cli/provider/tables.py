"""The provider's resources as tables for people and as JSON for machines."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from dispatcher.cli.tables import pairs, seconds_since, table, when
from dispatcher.core.durations import duration_text
from dispatcher.sinch.models import CoverPage, Email, EmailNumber, Fax, Resource, Service

_STATUS = {"COMPLETED": "green", "FAILURE": "red", "IN_PROGRESS": "cyan"}


def as_json(resource: Resource) -> dict[str, Any]:
    """What the provider said, under its own names."""
    return resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def facts(resource: Resource) -> Table:
    """What the provider said of one resource, by the names that the commands take."""
    said = (name for name in type(resource).model_fields if name in resource.model_fields_set)
    return pairs({name.strip("_"): _text(getattr(resource, name)) for name in said})


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return when(value)
        case Mapping():
            return ", ".join(f"{name}={one}" for name, one in value.items())
        case tuple():
            return "\n".join(map(_text, value))
        case Resource():
            return " ".join(str(one) for _, one in value if one)
        case None:
            return ""
    return str(value)


def faxes_table(faxes: Iterable[Fax]) -> Table:
    """Narrow enough that ids and numbers stay whole in a terminal of 80 columns."""
    made = table("id", "to / from", "status", "pages", "age", numbers=["pages", "age"], prose=["to / from", "status"])
    for fax in faxes:
        other = f"from {fax.from_}" if fax.direction == "INBOUND" else fax.to
        error = f"\n{fax.error_type} {fax.error_code}" if fax.error_type else ""
        pages = f"{fax.pages_sent_successfully}/{fax.number_of_pages}"
        age = duration_text(round(seconds_since(fax.create_time)), units=1) if fax.create_time else ""
        made.add_row(fax.id, other, Text(f"{fax.status}{error}", _STATUS.get(fax.status, "")), pages, age)
    return made


def services_table(services: Iterable[Service]) -> Table:
    made = table("id", "name", "default", "sender", prose=["name"])
    for one in services:
        made.add_row(one.id, Text(one.name), "yes" if one.default_for_project else "", one.default_from)
    return made


def emails_table(emails: Iterable[Email]) -> Table:
    made = table("email", "numbers", "changed", prose=["email", "numbers"])
    for email in emails:
        made.add_row(Text(email.email), _text(email.phone_numbers), when(email.updated_at))
    return made


def email_numbers_table(numbers: Iterable[EmailNumber]) -> Table:
    made = table("number", "permissions")
    for one in numbers:
        made.add_row(one.number, one.permissions)
    return made


def cover_pages_table(pages: Iterable[CoverPage]) -> Table:
    made = table("id", "name", "created", prose=["name"])
    for page in pages:
        made.add_row(page.id, Text(page.name), when(page.created_time))
    return made
