"""A fax on its way out, and the body of the request that sends it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dispatcher.sinch.body import Body
from dispatcher.sinch.wire import ATTEMPT_LABEL, JOB_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFile:
    """A document as base64, encoded once and shared by every send of it. ``file_type`` is ``PDF``, ``TIF``, ..."""

    file_type: str
    base64: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFax:
    """One attempt of one job. Empty text and None mean: leave it to the service's setting."""

    #: E.164 with ``+``
    to: str
    #: ``<batch>.<row>``
    job: str
    attempt: int
    content_urls: tuple[str, ...] = ()
    files: tuple[EncodedFile, ...] = ()
    sender: str = ""
    service_id: str = ""
    header_text: str = ""
    header_page_numbers: bool | None = None
    header_time_zone: str = ""
    resolution: str = ""
    image_conversion_method: str = ""
    cover_page_id: str = ""
    cover_page_data: Mapping[str, str] = field(default_factory=dict)
    callback_url: str = ""


def send_body(fax: OutgoingFax) -> Body:
    """The JSON body as pieces around the documents' base64, which is neither encoded again nor copied."""
    head = json.dumps(_fields(fax), separators=(",", ":")).encode("ascii")
    if not fax.files:
        return Body((head,), "application/json")
    return Body((head[:-1], b',"files":[', *_file_pieces(fax.files), b"]}"), "application/json")


def _fields(fax: OutgoingFax) -> dict[str, object]:
    optional = {
        "contentUrl": list(fax.content_urls),
        "from": fax.sender,
        "serviceId": fax.service_id,
        "headerText": fax.header_text,
        "headerTimeZone": fax.header_time_zone,
        "resolution": fax.resolution,
        "imageConversionMethod": fax.image_conversion_method,
        "coverPageId": fax.cover_page_id,
        "coverPageData": dict(fax.cover_page_data),
        "callbackUrl": fax.callback_url,
    }
    fields: dict[str, object] = {
        "to": fax.to,
        # we own the dialling: one POST is one call
        "maxRetries": 0,
        "labels": {JOB_LABEL: fax.job, ATTEMPT_LABEL: str(fax.attempt)},
    }
    fields |= {name: value for name, value in optional.items() if value}
    if fax.header_page_numbers is not None:
        fields["headerPageNumbers"] = fax.header_page_numbers
    if fax.callback_url:
        fields["callbackUrlContentType"] = "application/json"
    return fields


def _file_pieces(files: tuple[EncodedFile, ...]) -> Iterator[bytes]:
    for number, file in enumerate(files):
        comma = b"," if number else b""
        yield comma + b'{"fileType":' + json.dumps(file.file_type).encode("ascii") + b',"file":"'
        yield file.base64
        yield b'"}'
