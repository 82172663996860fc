"""Checks the fields of a ``POST /faxes`` and turns them into an ``Order``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.emulator import checks
from dispatcher.emulator.documents import FILE_TYPES, Document, Documents
from dispatcher.emulator.responses import ApiError
from dispatcher.emulator.send_form import UploadedFile

CHECKS: dict[str, checks.Check] = {
    "from": checks.e164,
    "serviceId": checks.text,
    "headerText": checks.text_up_to(50),
    "headerPageNumbers": checks.boolean,
    "headerTimeZone": checks.time_zone,
    "maxRetries": checks.whole_number(0, checks.MAX_RETRIES),
    "retryDelaySeconds": checks.whole_number(0, checks.MAX_RETRY_DELAY_S),
    "imageConversionMethod": checks.one_of(*checks.IMAGE_METHODS),
    "resolution": checks.one_of(*checks.RESOLUTIONS),
    "labels": checks.text_map,
    "callbackUrl": checks.http_url,
    "callbackUrlContentType": checks.one_of(*checks.CALLBACK_TYPES),
    "coverPageId": checks.text,
    "coverPageData": checks.text_map,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A valid ``POST /faxes``: recipients, content, and the fields that all its faxes share."""

    recipients: tuple[str, ...]
    #: whether the response is a list of faxes
    several: bool
    content_urls: tuple[str, ...]
    documents: tuple[Document, ...]
    fields: Mapping[str, Any]


def order_from(fields: dict[str, Any], documents: Documents) -> Order:
    """Check the fields of a request and create its order.

    Raises:
        ApiError: 400 without content, 413 if a file is too large, 422 with the names of invalid fields.
    """
    violations = checks.find_violations(fields, CHECKS)
    recipients = _recipients(fields.get("to"), violations)
    urls = _content_urls(fields.get("contentUrl"), violations)
    files = fields.get("files") or []
    if not violations and not urls and not files:
        raise ApiError(400, "Either a file or a contentUrl is required")
    order_documents = _files(files, documents, violations)
    if violations:
        raise ApiError(422, "The request has invalid parameters", violations)
    return Order(
        recipients=recipients,
        several=len(recipients) > 1,
        content_urls=urls,
        documents=order_documents,
        fields=fields,
    )


def settings_of(order: Order, service: Mapping[str, Any], project_id: str) -> dict[str, Any]:
    """Return the effective settings of the faxes of an order, with the defaults of the service.

    All values are hashable.
    """
    fields = order.fields
    settings = {
        "projectId": project_id,
        "serviceId": service["id"],
        "headerText": fields.get("headerText", "-"),
        "headerPageNumbers": fields.get("headerPageNumbers", True),
        "headerTimeZone": fields.get("headerTimeZone", "America/New_York"),
        "maxRetries": fields.get("maxRetries", service["numberOfRetries"]),
        "retryDelaySeconds": fields.get("retryDelaySeconds", service["retryDelaySeconds"]),
        "imageConversionMethod": fields.get("imageConversionMethod", service["imageConversionMethod"]),
        "resolution": fields.get("resolution", service["resolution"]),
    }
    cover_page = fields.get("coverPageId", service.get("coverPageId"))
    if cover_page is not None:
        settings["coverPageId"] = cover_page
    return settings


def callback_type(fields: Mapping[str, Any]) -> str:
    """Return the content type of the callbacks of an order."""
    return str(fields.get("callbackUrlContentType", checks.CALLBACK_TYPES[0]))


def _recipients(value: Any, violations: list[tuple[str, str]]) -> tuple[str, ...]:
    """Return the numbers in ``to``, duplicates included.

    A single invalid number makes the request invalid.
    """
    if value is None or value == []:
        violations.append(("to", "is required"))
        return ()
    numbers = value if isinstance(value, list) else [value]
    for index, number in enumerate(numbers):
        problem = checks.e164(number)
        if problem:
            violations.append(("to" if len(numbers) == 1 else f"to[{index}]", problem))
    return tuple(map(str, numbers))


def _content_urls(value: Any, violations: list[tuple[str, str]]) -> tuple[str, ...]:
    if value is None:
        return ()
    urls = value if isinstance(value, list) else [value]
    for url in urls:
        problem = checks.http_url(url)
        if problem:
            violations.append(("contentUrl", problem))
    return tuple(map(str, urls))


def _files(value: Any, documents: Documents, violations: list[tuple[str, str]]) -> tuple[Document, ...]:
    if not isinstance(value, list):
        violations.append(("files", "must be a list of {file, fileType}"))
        return ()
    files = []
    for index, item in enumerate(value):
        try:
            files.append(_file(item, documents))
        except OverflowError as error:
            raise ApiError(413, f"File {index + 1} {error}") from error
        except ValueError as error:
            violations.append((f"files[{index}]", str(error)))
    return tuple(files)


def _file(item: Any, documents: Documents) -> Document:
    if isinstance(item, UploadedFile):
        if not item.file_type:
            raise ValueError("needs a file name with an extension")
        return documents.from_bytes(item.data, item.file_type)
    if not isinstance(item, dict) or not isinstance(item.get("file"), str):
        raise ValueError("must be {file, fileType} with base64 text as file")
    file_type = item.get("fileType")
    if not isinstance(file_type, str) or file_type.upper() not in FILE_TYPES:
        raise ValueError(f"fileType must be one of {', '.join(FILE_TYPES)}")
    return documents.from_base64(item["file"], file_type.upper())
