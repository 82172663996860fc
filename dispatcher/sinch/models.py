"""Models of the provider's resources.

They accept almost any value.

Unknown fields are ignored, unknown enum values are kept as text, and missing or malformed values become the empty value
of their type. A response is unreadable only if it is not an object or the resource has no key, such as its ID.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from dispatcher.sinch import coerce
from dispatcher.sinch.errors import UnreadableError


def _time(value: object) -> datetime | None:
    ms = coerce.time_ms(value)
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None


def _numbers(value: object) -> list[object]:
    """Convert numbers to objects.

    Older servers, and one page of the provider's reference, have plain strings.
    """
    items = value[: coerce.MAX_ITEMS] if isinstance(value, list) else []
    objects = [{"number": item} if isinstance(item, str) else coerce.mapping(item) for item in items]
    return [item for item in objects if coerce.text(item.get("number"))]


Text = Annotated[str, BeforeValidator(coerce.text)]
Id = Annotated[str, BeforeValidator(coerce.identifier)]
Explanation = Annotated[str, BeforeValidator(coerce.explanation)]
Texts = Annotated[tuple[str, ...], BeforeValidator(coerce.texts)]
Integer = Annotated[int, BeforeValidator(coerce.integer)]
Flag = Annotated[bool, BeforeValidator(coerce.flag)]
TextMap = Annotated[dict[str, str], BeforeValidator(coerce.text_map)]
Time = Annotated[datetime | None, BeforeValidator(_time)]


class Resource(BaseModel):
    """Base class of the resources.

    The field names are the provider's in snake case.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


R = TypeVar("R", bound=Resource)


class Price(Resource):
    """The price of a fax.

    ``amount`` is a decimal number as text; it is empty until the final price is known.
    """

    currency_code: Text = ""
    amount: Text = ""


class BarCode(Resource):
    """A bar code on a page of an inbound fax."""

    type: Text = ""
    page: Integer = 0
    value: Text = ""


class Fax(Resource):
    """One fax.

    Only the statuses ``COMPLETED`` and ``FAILURE`` are final.
    """

    id: Id
    direction: Text = ""
    from_: Text = ""
    to: Text = ""
    status: Text = ""
    number_of_pages: Integer = 0
    pages_sent_successfully: Integer = 0
    price: Annotated[Price, BeforeValidator(coerce.mapping)] = Price()
    create_time: Time = None
    completed_time: Time = None
    header_text: Text = ""
    header_page_numbers: Flag = False
    header_time_zone: Text = ""
    retry_delay_seconds: Integer = 0
    max_retries: Integer = 0
    retry_count: Integer = 0
    labels: TextMap = {}
    callback_url: Text = ""
    callback_url_content_type: Text = ""
    image_conversion_method: Text = ""
    resolution: Text = ""
    cover_page_id: Text = ""
    cover_page_data: TextMap = {}
    content_url: Texts = ()
    error_type: Explanation = ""
    error_code: Integer = 0
    error_message: Explanation = ""
    has_file: Flag = False
    bar_codes: Annotated[tuple[BarCode, ...], BeforeValidator(coerce.objects)] = ()
    project_id: Text = ""
    service_id: Text = ""

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")))

    @property
    def final(self) -> bool:
        """Whether the status is final."""
        return self.status in {"COMPLETED", "FAILURE"}


class Service(Resource):
    """A service: settings that many faxes share."""

    id: Id
    name: Text = ""
    incoming_webhook_url: Text = ""
    webhook_content_type: Text = ""
    default_for_project: Flag = False
    default_from: Text = ""
    number_of_retries: Integer = 0
    retry_delay_seconds: Integer = 0
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
    """A number that an email address may use.

    ``permissions`` is ``both``, ``send`` or ``receive``.
    """

    number: Text
    permissions: Text = "both"


class Email(Resource):
    """An email address that sends and receives faxes."""

    email: Text
    phone_numbers: Annotated[tuple[EmailNumber, ...], BeforeValidator(_numbers)] = ()
    project_id: Text = ""
    created_at: Time = None
    updated_at: Time = None


class CoverPage(Resource):
    """A cover page, without its document."""

    id: Id
    name: Text = ""
    project_id: Text = ""
    service_id: Text = ""
    created_time: Time = None
    updated_time: Time = None


def read_resource(model: type[R], value: object) -> R:
    """Create a resource from parsed JSON.

    Raises:
        UnreadableError: the value is not an object, or the first field of the model, its key, is missing.
    """
    try:
        resource = model.model_validate(value if isinstance(value, Mapping) else {})
    except ValidationError as error:
        raise UnreadableError(f"the answer is no {model.__name__}") from error
    key = next(iter(model.model_fields))
    if not getattr(resource, key):
        raise UnreadableError(f"a {model.__name__} without {key}")
    return resource


def read_response(model: type[R], body: bytes) -> R:
    """Create a resource from the body of a response.

    Raises:
        UnreadableError: the body is not such a resource.
    """
    return read_resource(model, coerce.json_object(body))
