"""A request to send, with every option that the provider knows, and its body in both content types."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.core.options import FaxOptions
from dispatcher.sinch.body import Body, FileBytes

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFile:
    """A document as base64, encoded once and shared by every send of it. ``file_type`` is ``PDF``, ``TIF``, ..."""

    file_type: str
    base64: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxOrder:
    """A request to send one fax to each of its recipients.

    Empty text and None leave a setting to the provider's service. ``files`` go out in a JSON body; ``paths`` are read
    from disk into a multipart body while it is sent, and need an extension that names their type. An order has files,
    or paths, or only ``content_urls``.
    """

    #: E.164 with ``+``; with two and more the outcome of a bad one among them is not specified
    to: tuple[str, ...]
    content_urls: tuple[str, ...] = ()
    files: tuple[EncodedFile, ...] = ()
    paths: tuple[Path, ...] = ()
    options: FaxOptions = field(default_factory=FaxOptions)
    #: calls that the provider repeats by itself, at most 5; 0: whoever sends owns the dialling
    max_retries: int | None = 0
    retry_delay_s: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    callback_url: str = ""
    callback_content_type: str = JSON


def json_body(order: FaxOrder) -> Body:
    """The JSON body as pieces around the documents' base64, which is neither encoded again nor copied."""
    to: object = order.to[0] if len(order.to) == 1 else list(order.to)
    lists = {"contentUrl": list(order.content_urls)} if order.content_urls else {}
    head = json.dumps({"to": to, **lists, **_settings(order)}, separators=(",", ":")).encode("ascii")
    if not order.files:
        return Body((head,), JSON)
    return Body((head[:-1], b',"files":[', *_encoded(order.files), b"]}"), JSON)


def multipart_body(order: FaxOrder) -> Body:
    """The multipart body, with the files read while it is sent. Raises OSError when one cannot be read."""
    boundary = f"bulkfax-{secrets.token_hex(16)}"
    pieces: list[bytes | FileBytes] = [_text_part(boundary, name, value) for name, value in _form_fields(order)]
    for path in order.paths:
        pieces += _file_part(boundary, path)
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return Body(tuple(pieces), f"multipart/form-data; boundary={boundary}")


def _settings(order: FaxOrder) -> dict[str, object]:
    """Return everything but recipients and documents under the provider's names, without what is not set."""
    options = order.options
    settings: dict[str, object] = {
        "from": options.sender,
        "serviceId": options.service_id,
        "headerText": options.header_text,
        "headerTimeZone": options.header_time_zone,
        "resolution": options.resolution,
        "imageConversionMethod": options.image_conversion_method,
        "coverPageId": options.cover_page_id,
        "coverPageData": dict(options.cover_page_data),
        "labels": dict(order.labels),
        "callbackUrl": order.callback_url,
        "callbackUrlContentType": order.callback_content_type if order.callback_url else "",
        "headerPageNumbers": options.header_page_numbers,
        "maxRetries": order.max_retries,
        "retryDelaySeconds": order.retry_delay_s,
    }
    return {name: value for name, value in settings.items() if value not in ("", None, {})}


def _encoded(files: tuple[EncodedFile, ...]) -> Iterator[bytes]:
    for number, file in enumerate(files):
        comma = b"," if number else b""
        yield comma + b'{"fileType":' + json.dumps(file.file_type).encode("ascii") + b',"file":"'
        yield file.base64
        yield b'"}'


def _form_fields(order: FaxOrder) -> Iterator[tuple[str, str]]:
    """Fields as text: recipients repeated, content URLs in one field, maps as ``name[key]``."""
    yield from (("to", number) for number in order.to)
    if order.content_urls:
        yield "contentUrl", ",".join(order.content_urls)
    for name, value in _settings(order).items():
        if isinstance(value, dict):
            yield from ((f"{name}[{key}]", text) for key, text in value.items())
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        else:
            yield name, str(value)


def _text_part(boundary: str, name: str, value: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
    return f"{head}{value}\r\n".encode("utf-8", "replace")


def _file_part(boundary: str, path: Path) -> Iterator[bytes | FileBytes]:
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(path.name)}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode("utf-8", "replace")
    yield FileBytes.of(path)
    yield b"\r\n"


def _quoted(name: str) -> str:
    """A name inside quotes of a part's head, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
