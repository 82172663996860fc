"""Checks the fields of a send and fills in what is left out: from fields to an order."""

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
    """A checked send: who gets it, what, and the settings that all its faxes share.

    `several` says that the answer is a list of faxes.
    """

    recipients: tuple[str, ...]
    several: bool
    content_urls: tuple[str, ...]
    documents: tuple[Document, ...]
    fields: Mapping[str, Any]


def order_from(fields: dict[str, Any], documents: Documents) -> Order:
    """Check the fields of a send.

    Raises:
        ApiError: 400 without any content, 413 for a file that is too large, 422 with the fields at fault.
    """
    wrong = checks.violations(fields, CHECKS)
    recipients = _recipients(fields.get("to"), wrong)
    urls = _content_urls(fields.get("contentUrl"), wrong)
    files = fields.get("files") or []
    if not wrong and not urls and not files:
        raise ApiError(400, "Either a file or a contentUrl is required")
    taken = _files(files, documents, wrong)
    if wrong:
        raise ApiError(422, "The request has invalid parameters", wrong)
    return Order(
        recipients=recipients,
        several=len(recipients) > 1,
        content_urls=urls,
        documents=taken,
        fields=fields,
    )


def settings_of(order: Order, service: Mapping[str, Any], project_id: str) -> dict[str, Any]:
    """The effective settings as every Fax of the order shows them; hashable values only."""
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
    return str(fields.get("callbackUrlContentType", checks.CALLBACK_TYPES[0]))


def _recipients(value: Any, wrong: list[tuple[str, str]]) -> tuple[str, ...]:
    """The numbers in `to`; one bad number refuses the whole request. Repeated ones are not merged."""
    if value is None or value == []:
        wrong.append(("to", "is required"))
        return ()
    numbers = value if isinstance(value, list) else [value]
    for i, number in enumerate(numbers):
        problem = checks.e164(number)
        if problem:
            wrong.append(("to" if len(numbers) == 1 else f"to[{i}]", problem))
    return tuple(map(str, numbers))


def _content_urls(value: Any, wrong: list[tuple[str, str]]) -> tuple[str, ...]:
    if value is None:
        return ()
    urls = value if isinstance(value, list) else [value]
    for url in urls:
        problem = checks.http_url(url)
        if problem:
            wrong.append(("contentUrl", problem))
    return tuple(map(str, urls))


def _files(value: Any, documents: Documents, wrong: list[tuple[str, str]]) -> tuple[Document, ...]:
    if not isinstance(value, list):
        wrong.append(("files", "must be a list of {file, fileType}"))
        return ()
    taken = []
    for i, item in enumerate(value):
        try:
            taken.append(_file(item, documents))
        except OverflowError as error:
            raise ApiError(413, f"File {i + 1} {error}") from error
        except ValueError as error:
            wrong.append((f"files[{i}]", str(error)))
    return tuple(taken)


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
