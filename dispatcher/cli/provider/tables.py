"""The provider's resources as tables and as JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table

from dispatcher.cli.output import styled
from dispatcher.cli.tables import pairs, seconds_since, table, when
from dispatcher.core.durations import duration_text
from dispatcher.sinch.models import CoverPage, Email, EmailNumber, Fax, Resource, Service

_STATUS = {"COMPLETED": "green", "FAILURE": "red", "IN_PROGRESS": "cyan"}


def as_json(resource: Resource) -> dict[str, Any]:
    """Return the fields of a resource that the provider sent, by its names."""
    return resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def details_table(resource: Resource) -> Table:
    """Return a table of the fields that the provider sent, by the names that the commands use."""
    names = (name for name in type(resource).model_fields if name in resource.model_fields_set)
    return pairs({name.strip("_"): _text(getattr(resource, name)) for name in names})


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return when(value)
        case Mapping():
            return ", ".join(f"{name}={item}" for name, item in value.items())
        case tuple():
            return "\n".join(map(_text, value))
        case Resource():
            return " ".join(str(field) for _, field in value if field)
        case None:
            return ""
    return str(value)


def faxes_table(faxes: Iterable[Fax]) -> Table:
    """Return a table of faxes that shows IDs and numbers completely in a terminal of 80 columns."""
    rows = table("id", "to / from", "status", "pages", "age", numbers=["pages", "age"], prose=["to / from", "status"])
    for fax in faxes:
        other = f"from {fax.from_}" if fax.direction == "INBOUND" else fax.to
        error = f"\n{fax.error_type} {fax.error_code}" if fax.error_type else ""
        pages = f"{fax.pages_sent_successfully}/{fax.number_of_pages}"
        age = duration_text(round(seconds_since(fax.create_time)), units=1) if fax.create_time else ""
        rows.add_row(fax.id, other, styled(f"{fax.status}{error}", _STATUS.get(fax.status, "")), pages, age)
    return rows


def services_table(services: Iterable[Service]) -> Table:
    """Return a table of services."""
    rows = table("id", "name", "default", "sender", prose=["name"])
    for service in services:
        default = "yes" if service.default_for_project else ""
        rows.add_row(service.id, service.name, default, service.default_from)
    return rows


def emails_table(emails: Iterable[Email]) -> Table:
    """Return a table of email addresses."""
    rows = table("email", "numbers", "changed", prose=["email", "numbers"])
    for email in emails:
        rows.add_row(email.email, _text(email.phone_numbers), when(email.updated_at))
    return rows


def email_numbers_table(numbers: Iterable[EmailNumber]) -> Table:
    """Return a table of the numbers of an email address."""
    rows = table("number", "permissions")
    for number in numbers:
        rows.add_row(number.number, number.permissions)
    return rows


def cover_pages_table(pages: Iterable[CoverPage]) -> Table:
    """Return a table of cover pages."""
    rows = table("id", "name", "created", prose=["name"])
    for page in pages:
        rows.add_row(page.id, page.name, when(page.created_time))
    return rows
