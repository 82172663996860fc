"""Undocumented responses, as gateways, caches, proxies and broken servers send them.

Each is a complete HTTP response. None of them says anything about a fax.
"""

import gzip
import json
from collections.abc import Mapping

from hypothesis import strategies as st

from tests.sinch.wire_server import reply

HTML = b"<html><body>Please sign in</body></html>"
#: a lone surrogate, which JSON may contain and UTF-8 cannot encode
LONE_SURROGATE = (
    b'{"message": "no \\ud83d", "code": "\\udfff", "details": [{"fieldViolations": [{"field": "\\ud800"}]}]}'
)
LONG = json.dumps({"message": "x" * 100_000, "details": {"fieldViolations": [{"field": "f" * 10_000}] * 500}}).encode()
DEEP = b'{"id": ' + b"[" * 100_000

#: responses after which the provider may have acted on the request
UNUSABLE: Mapping[str, bytes] = {
    "a page with 200": reply(200, HTML, Content_Type="text/html"),
    "an empty 200": reply(200),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "202 without an id": reply(202, b"{}"),
    "null": reply(200, b"null"),
    "a list": reply(200, b"[]"),
    "no fax": reply(200, b'{"faxes": []}'),
    "two faxes": reply(200, b'{"faxes": [{"id": "1"}, {"id": "2"}]}'),
    "an id of a megabyte": reply(200, b'{"id": "' + b"x" * 1_000_000 + b'"}'),
    "an id that cannot be encoded": reply(200, b'{"id": "F\\ud83d"}'),
    "an id with a line in it": reply(200, b'{"id": "F\\n1"}'),
    "too deep": reply(200, DEEP),
    "a number of 5,000 digits": reply(200, b'{"id": ' + b"9" * 5_000 + b"}"),
    "UTF-16": reply(200, '{"id": 1'.encode("utf-16")),
    "broken gzip": reply(200, b"\x1f\x8b no gzip", Content_Encoding="gzip"),
    "a page in gzip": reply(200, gzip.compress(HTML), Content_Encoding="gzip"),
    "an unknown encoding": reply(200, b"?" * 20, Content_Encoding="compress"),
    "302": reply(302, Location="https://login.example.org/"),
    "303 to nowhere": reply(303),
    "300": reply(300, HTML),
    "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "305": reply(305),
    "399": reply(399),
    "500 with a page": reply(500, HTML),
    "502 without a body": reply(502),
    "503 for ever": reply(503, Retry_After="1e300"),
    "503 until a date": reply(503, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"),
    "599": reply(599),
    "600": reply(600),
    "800": reply(800),
    "999": reply(999, HTML),
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a word as status": b"HTTP/1.1 OKAY fine\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length of no number": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
}

#: responses of a provider that has accepted nothing: a wrong address, and refusals
REFUSED: Mapping[str, bytes] = {
    "301": reply(301, Location="https://fax.example.org/"),
    "307 without an address": reply(307),
    "308 to half a character": b"HTTP/1.1 308 X\r\nContent-Length: 0\r\nLocation: \xed\xa0\xbd\x1b[2J\r\n\r\n",
    "400 with a page": reply(400, HTML),
    "401": reply(401, WWW_Authenticate="\xff"),
    "402": reply(402),
    "403 with half a character": reply(403, LONE_SURROGATE),
    "404": reply(404),
    "405": reply(405, HTML),
    "406": reply(406),
    "409": reply(409),
    "410": reply(410),
    "411": reply(411),
    "413": reply(413, HTML),
    "418": reply(418, b"\xff\xfe\x00"),
    "421": reply(421),
    "422 with half a character": reply(422, LONE_SURROGATE),
    "422 of great length": reply(422, LONG),
    "422 too deep": reply(422, DEEP),
    "423": reply(423),
    "426": reply(426),
    "431": reply(431),
    "451": reply(451),
    "499": reply(499, b"null"),
}

#: 429 with all forms of ``Retry-After``
LIMITED: Mapping[str, bytes] = {
    f"429 {value}": reply(429, Retry_After=value)
    for value in ("0", "-5", "nan", "inf", "1e300", "1795000000", "86400", "soon", "", "1, 2", "9" * 5_000)
} | {"429 until a date": reply(429, Retry_After="Fri, 31 Dec 9999 23:59:59 -9999", Date="nonsense")}

EVERY_ODD_RESPONSE: Mapping[str, bytes] = {**UNUSABLE, **REFUSED, **LIMITED}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(
        ["\ud83d", "x" * 5_000, 10**400, -1, 1e308, "COMPLETED", "FAILURE", "http", "0001-01-01T00:00:00Z"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
#: bodies: any JSON, faxes with any content, and any bytes
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "status",
                "to",
                "labels",
                "errorType",
                "errorCode",
                "errorMessage",
                "numberOfPages",
                "pagesSentSuccessfully",
                "createTime",
                "completedTime",
                "faxes",
                "totalPages",
                "page",
                "message",
                "details",
                "error",
            ]
        ),
        JSON_VALUES,
    ).map(lambda value: json.dumps(value).encode()),
)
