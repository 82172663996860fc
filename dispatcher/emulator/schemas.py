"""JSON schemas of the emulated API, for its OpenAPI document."""

from typing import Any

from dispatcher.emulator import checks
from dispatcher.emulator.documents import FILE_TYPES
from dispatcher.emulator.emails import PERMISSIONS

Schema = dict[str, Any]


def text(**keywords: Any) -> Schema:
    """Return the schema of a string, with further keywords such as ``maxLength``."""
    return {"type": "string", **keywords}


def enum(*values: str) -> Schema:
    """Return the schema of a string with a fixed set of values."""
    return {"type": "string", "enum": list(values)}


def integer(minimum: int, maximum: int | None = None) -> Schema:
    """Return the schema of an integer."""
    schema = {"type": "integer", "minimum": minimum}
    return schema if maximum is None else {**schema, "maximum": maximum}


def array(item: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": item}


def json_object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of an object."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def ref(name: str) -> Schema:
    """Return a reference to one of ``COMPONENTS``."""
    return {"$ref": f"#/components/schemas/{name}"}


BOOLEAN: Schema = {"type": "boolean"}
NUMBER = text(pattern=r"^\+[1-9][0-9]{6,14}$")
URL = text(format="uri", pattern="^https?://")
TIME = text(format="date-time")
TEXT_MAP: Schema = {"type": "object", "additionalProperties": {"type": "string"}}

#: fields of a send request that the fax returns unchanged
_SETTINGS: dict[str, Schema] = {
    "headerText": text(maxLength=50),
    "headerPageNumbers": BOOLEAN,
    "headerTimeZone": text(),
    "maxRetries": integer(0, checks.MAX_RETRIES),
    "retryDelaySeconds": integer(0, checks.MAX_RETRY_DELAY_S),
    "imageConversionMethod": enum(*checks.IMAGE_METHODS),
    "resolution": enum(*checks.RESOLUTIONS),
    "labels": TEXT_MAP,
    "callbackUrl": text(),
    "callbackUrlContentType": enum(*checks.CALLBACK_TYPES),
    "coverPageId": text(),
    "coverPageData": TEXT_MAP,
    "serviceId": text(),
}

SEND_JSON = json_object(
    ("to",),
    **{
        "to": {"anyOf": [NUMBER, {**array(NUMBER), "minItems": 1}]},
        "from": NUMBER,
        "contentUrl": {"anyOf": [URL, array(URL)]},
        "files": array(json_object(("file", "fileType"), file=text(format="byte"), fileType=enum(*FILE_TYPES))),
        **_SETTINGS,
        "callbackUrl": URL,
    },
)

SEND_MULTIPART = json_object(
    ("to",),
    **{
        "to": array(text()),
        "from": text(),
        "contentUrl": text(),
        "file": array(text(format="binary")),
        "headerText": text(),
        "headerPageNumbers": text(),
        "maxRetries": text(),
        "serviceId": text(),
        "callbackUrl": text(),
        "callbackUrlContentType": text(),
    },
)

_FAX = json_object(
    ("id", "direction", "to", "status", "createTime", "hasFile"),
    **{
        "id": text(),
        "direction": enum("OUTBOUND", "INBOUND"),
        "to": text(),
        "from": text(),
        "status": enum("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE"),
        "numberOfPages": integer(0),
        "pagesSentSuccessfully": integer(0),
        "price": json_object(("currencyCode", "amount"), currencyCode=text(), amount=text()),
        "pricePerPage": text(),
        "createTime": TIME,
        "completedTime": TIME,
        "retryCount": integer(0),
        "contentUrl": array(text()),
        "errorType": text(),
        "errorCode": integer(0),
        "errorMessage": text(),
        "hasFile": BOOLEAN,
        "barCodes": array({"type": "object"}),
        "projectId": text(),
        **_SETTINGS,
    },
)

SERVICE_FIELDS = json_object(
    name=text(maxLength=60),
    incomingWebhookUrl=URL,
    webhookContentType=enum(*checks.CALLBACK_TYPES),
    defaultForProject=BOOLEAN,
    defaultFrom=NUMBER,
    numberOfRetries=integer(0, checks.MAX_RETRIES),
    retryDelaySeconds=integer(0, checks.MAX_RETRY_DELAY_S),
    imageConversionMethod=enum(*checks.IMAGE_METHODS),
    coverPageId=text(),
    saveOutboundFaxDocuments=BOOLEAN,
    saveInboundFaxDocuments=BOOLEAN,
    scanIncomingBarcodes=BOOLEAN,
    inProgressNotifications=BOOLEAN,
    resolution=enum(*checks.RESOLUTIONS),
)
_SERVICE: Schema = {
    "allOf": [
        json_object(("id", "projectId"), id=text(), projectId=text()),
        {**SERVICE_FIELDS, "properties": {**SERVICE_FIELDS["properties"], "incomingWebhookUrl": text()}},
    ]
}

_EMAIL_NUMBER = json_object(("number", "permissions"), number=NUMBER, permissions=enum(*PERMISSIONS))
_NUMBER_OF_EMAIL = json_object(
    ("phoneNumber", "projectId", "serviceId", "permissions"),
    phoneNumber=NUMBER,
    projectId=text(),
    serviceId=text(),
    permissions=enum(*PERMISSIONS),
)
_EMAIL = json_object(
    ("email", "phoneNumbers"),
    email=text(),
    phoneNumbers=array(_EMAIL_NUMBER),
    projectId=text(),
    createdAt=TIME,
    updatedAt=TIME,
)
_NUMBER_OR_TEXT: Schema = {"anyOf": [NUMBER, json_object(("number",), number=NUMBER, permissions=enum(*PERMISSIONS))]}
EMAIL_NUMBERS = json_object(("phoneNumbers",), phoneNumbers=array(_NUMBER_OR_TEXT))
NEW_EMAIL = json_object(("email",), email=text(format="email"), phoneNumbers=array(_NUMBER_OR_TEXT))

NEW_COVER_PAGE = json_object(
    ("name", "file"),
    name=text(maxLength=60),
    file=json_object(("fileContent", "fileType"), fileContent=text(format="byte"), fileType=enum("PDF")),
)
_COVER_PAGE = json_object(
    ("id", "name", "file", "serviceId"),
    id=text(),
    name=text(),
    file=json_object(fileContent=text(), fileType=text()),
    projectId=text(),
    serviceId=text(),
    createdTime=TIME,
    updatedTime=TIME,
)

_ERROR = json_object(
    ("code", "error", "message"),
    code=text(),
    error=text(),
    message=text(),
    details=json_object(fieldViolations=array(json_object(("field", "description"), field=text(), description=text()))),
)


def page(key: str, item: Schema) -> Schema:
    """Return the schema of a page of a list; ``key`` is the name of its array."""
    counts = {name: integer(0) for name in ("page", "pageNumber", "pageSize", "totalItems", "totalPages")}
    return json_object((key, *counts), **{key: array(item)}, **counts)


COMPONENTS: dict[str, Schema] = {
    "Fax": _FAX,
    "Faxes": json_object(("faxes",), faxes=array(ref("Fax"))),
    "Service": _SERVICE,
    "Number": json_object(("phoneNumber",), phoneNumber=text(), projectId=text(), serviceId=text()),
    "Email": _EMAIL,
    "EmailNumber": _EMAIL_NUMBER,
    "NumberOfEmail": _NUMBER_OF_EMAIL,
    "CoverPage": _COVER_PAGE,
    "Error": _ERROR,
}
