"""The provider's resources as it shows them: tolerant readers.

Unknown fields are passed over, unknown values of an enumeration are kept as text, a missing or odd value becomes
the empty one of its type. Only an answer that is no object, or has no key to name the resource by, is unreadable.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from dispatcher.sinch import coerce
from dispatcher.sinch.errors import UnreadableError


def _time(value: object) -> datetime | None:
    read = coerce.time_ms(value)
    return datetime.fromtimestamp(read / 1000, UTC) if read else None


def _objects(value: object) -> list[object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _numbers(value: object) -> list[object]:
    """Objects, or plain numbers as older servers and one page of the reference have them."""
    items = value if isinstance(value, list) else []
    objects = [{"number": item} if isinstance(item, str) else coerce.mapping(item) for item in items]
    return [item for item in objects if coerce.text(item.get("number"))]


Text = Annotated[str, BeforeValidator(coerce.text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(coerce.texts)]
Whole = Annotated[int, BeforeValidator(coerce.whole)]
Flag = Annotated[bool, BeforeValidator(coerce.flag)]
TextMap = Annotated[dict[str, str], BeforeValidator(coerce.text_map)]
Time = Annotated[datetime | None, BeforeValidator(_time)]


class Resource(BaseModel):
    """What the provider shows. Names here are the provider's, written with underscores."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


R = TypeVar("R", bound=Resource)


class Price(Resource):
    """``amount`` is a decimal number as text; empty until the final price is known."""

    currency_code: Text = ""
    amount: Text = ""


class BarCode(Resource):
    """A code read on a page of an inbound fax."""

    type: Text = ""
    page: Whole = 0
    value: Text = ""


class Fax(Resource):
    """One fax. ``COMPLETED`` and ``FAILURE`` are the only final statuses, whatever else may appear."""

    id: Text
    direction: Text = ""
    from_: Text = ""
    to: Text = ""
    status: Text = ""
    number_of_pages: Whole = 0
    pages_sent_successfully: Whole = 0
    price: Annotated[Price, BeforeValidator(coerce.mapping)] = Price()
    create_time: Time = None
    completed_time: Time = None
    header_text: Text = ""
    header_page_numbers: Flag = False
    header_time_zone: Text = ""
    retry_delay_seconds: Whole = 0
    max_retries: Whole = 0
    retry_count: Whole = 0
    labels: TextMap = {}
    callback_url: Text = ""
    callback_url_content_type: Text = ""
    image_conversion_method: Text = ""
    resolution: Text = ""
    cover_page_id: Text = ""
    cover_page_data: TextMap = {}
    content_url: Texts = ()
    error_type: Text = ""
    error_code: Whole = 0
    error_message: Text = ""
    has_file: Flag = False
    bar_codes: Annotated[tuple[BarCode, ...], BeforeValidator(_objects)] = ()
    project_id: Text = ""
    service_id: Text = ""

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")))

    @property
    def final(self) -> bool:
        return self.status in {"COMPLETED", "FAILURE"}


class Service(Resource):
    """Settings that many faxes share."""

    id: Text
    name: Text = ""
    incoming_webhook_url: Text = ""
    webhook_content_type: Text = ""
    default_for_project: Flag = False
    default_from: Text = ""
    number_of_retries: Whole = 0
    retry_delay_seconds: Whole = 0
    image_conversion_method: Text = ""
    resolution: Text = ""
    cover_page_id: Text = ""
    save_outbound_fax_documents: Flag = False
    save_inbound_fax_documents: Flag = False
    scan_incoming_barcodes: Flag = False
    in_progress_notifications: Flag = False
    project_id: Text = ""


class ServiceNumber(Resource):
    """A phone number of a service."""

    phone_number: Text
    project_id: Text = ""
    service_id: Text = ""
    permissions: Text = ""


class EmailNumber(Resource):
    """A number that a mail address may use. ``permissions`` is ``both``, ``send`` or ``receive``."""

    number: Text
    permissions: Text = "both"


class Email(Resource):
    """A mail address that sends and receives faxes."""

    email: Text
    phone_numbers: Annotated[tuple[EmailNumber, ...], BeforeValidator(_numbers)] = ()
    project_id: Text = ""
    created_at: Time = None
    updated_at: Time = None


class CoverPage(Resource):
    """A page put before faxes. Its document is not read back."""

    id: Text
    name: Text = ""
    project_id: Text = ""
    service_id: Text = ""
    created_time: Time = None
    updated_time: Time = None


def read_resource(model: type[R], value: object) -> R:
    """One resource out of parsed JSON. Raises UnreadableError without an object, or without its first field."""
    try:
        read = model.model_validate(value if isinstance(value, Mapping) else {})
    except ValidationError as exc:
        raise UnreadableError(f"the answer is no {model.__name__}") from exc
    key = next(iter(model.model_fields))
    if not getattr(read, key):
        raise UnreadableError(f"a {model.__name__} without {key}")
    return read


def read_answer(model: type[R], body: bytes) -> R:
    """The resource in the body of an answer. Raises UnreadableError."""
    return read_resource(model, coerce.json_object(body))
