"""`GET /faxes?format=csv`: the list as the provider's CSV export."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.responses import Response, StreamingResponse

#: The header of a column, and where its value is in the Fax object. From the provider's export.
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
_ROWS_PER_PIECE = 200


def export(faxes: Iterable[dict[str, Any]], now_ms: int) -> Response:
    """Stream Fax objects as CSV."""
    return StreamingResponse(
        _pieces(faxes),
        headers={"Content-Disposition": f'attachment; filename="fax_logs_exp{now_ms}.csv"'},
        media_type="text/csv",
    )


async def _pieces(faxes: Iterable[dict[str, Any]]) -> Any:
    for piece in _texts(faxes):
        yield piece


def _texts(faxes: Iterable[dict[str, Any]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header for header, _ in COLUMNS)
    for count, fax in enumerate(faxes, 1):
        flat = {**fax, "currencyCode": fax.get("price", {}).get("currencyCode")}
        writer.writerow(_cell(flat.get(key)) for _, key in COLUMNS)
        if count % _ROWS_PER_PIECE == 0:
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
