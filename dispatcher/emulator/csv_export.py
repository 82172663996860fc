"""``GET /faxes?format=csv``: the list of faxes in the CSV format of the provider."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.responses import Response, StreamingResponse

#: header of each column, and the name of its field in the Fax object; taken from an export of the provider
COLUMNS: tuple[tuple[str, str], ...] = (
    ("Id", "id"),
    ("Direction", "direction"),
    ("From", "from"),
    ("To", "to"),
    ("Number Of Pages", "numberOfPages"),
    ("Status", "status"),
    ("Header Time Zone", "headerTimeZone"),
    ("Retry Delay Seconds", "retryDelaySeconds"),
    ("Resolution", "resolution"),
    ("Callback Url", "callbackUrl"),
    ("Callback Url Content Type", "callbackUrlContentType"),
    ("Error Type", "errorType"),
    ("Error Message", "errorMessage"),
    ("Error Code", "errorCode"),
    ("Project", "projectId"),
    ("Service", "serviceId"),
    ("Max Retries", "maxRetries"),
    ("Create Time", "createTime"),
    ("Header Text", "headerText"),
    ("Header Page Numbers", "headerPageNumbers"),
    ("Content Url", "contentUrl"),
    ("Labels", "labels"),
    ("Image Conversion Method", "imageConversionMethod"),
    ("Has File", "hasFile"),
    ("Currency Code", "currencyCode"),
    ("From Country", "fromCountry"),
    ("To Country", "toCountry"),
)
_ROWS_PER_CHUNK = 200


def export(faxes: Iterable[dict[str, Any]], now_ms: int) -> Response:
    """Stream Fax objects as CSV."""
    return StreamingResponse(
        _async_chunks(faxes),
        headers={"Content-Disposition": f'attachment; filename="fax_logs_exp{now_ms}.csv"'},
        media_type="text/csv",
    )


async def _async_chunks(faxes: Iterable[dict[str, Any]]) -> Any:
    for chunk in _csv_chunks(faxes):
        yield chunk


def _csv_chunks(faxes: Iterable[dict[str, Any]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header for header, _ in COLUMNS)
    for count, fax in enumerate(faxes, 1):
        row = {**fax, "currencyCode": fax.get("price", {}).get("currencyCode")}
        writer.writerow(_cell(row.get(key)) for _, key in COLUMNS)
        if count % _ROWS_PER_CHUNK == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
