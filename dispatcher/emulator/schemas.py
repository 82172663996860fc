"""The shapes of the API as JSON schemas, for its OpenAPI document."""

from typing import Any

from dispatcher.emulator import checks
from dispatcher.emulator.documents import FILE_TYPES
from dispatcher.emulator.emails import PERMISSIONS

Schema = dict[str, Any]


def text(**more: Any) -> Schema:
    return {"type": "string", **more}


def enum(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def whole(least: int, most: int | None = None) -> Schema:
    schema = {"type": "integer", "minimum": least}
    return schema if most is None else {**schema, "maximum": most}


def listing(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def shape(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


BOOLEAN: Schema = {"type": "boolean"}
NUMBER = text(pattern=r"^\+[1-9][0-9]{6,14}$")
URL = text(format="uri", pattern="^https?://")
TIME = text(format="date-time")
TEXT_MAP: Schema = {"type": "object", "additionalProperties": {"type": "string"}}

#: Fields of a send that come back on the fax as they are.
_SETTINGS: dict[str, Schema] = {
    "headerText": text(maxLength=50),
    "headerPageNumbers": BOOLEAN,
    "headerTimeZone": text(),
    "maxRetries": whole(0, checks.MAX_RETRIES),
    "retryDelaySeconds": whole(0, checks.MAX_RETRY_DELAY_S),
    "imageConversionMethod": enum(*checks.IMAGE_METHODS),
    "resolution": enum(*checks.RESOLUTIONS),
    "labels": TEXT_MAP,
    "callbackUrl": text(),
    "callbackUrlContentType": enum(*checks.CALLBACK_TYPES),
    "coverPageId": text(),
    "coverPageData": TEXT_MAP,
    "serviceId": text(),
}

SEND_JSON = shape(
    ("to",),
    **{
        "to": {"anyOf": [NUMBER, {**listing(NUMBER), "minItems": 1}]},
        "from": NUMBER,
        "contentUrl": {"anyOf": [URL, listing(URL)]},
        "files": listing(shape(("file", "fileType"), file=text(format="byte"), fileType=enum(*FILE_TYPES))),
        **_SETTINGS,
        "callbackUrl": URL,
    },
)

SEND_MULTIPART = shape(
    ("to",),
    **{
        "to": listing(text()),
        "from": text(),
        "contentUrl": text(),
        "file": listing(text(format="binary")),
        "headerText": text(),
        "headerPageNumbers": text(),
        "maxRetries": text(),
        "serviceId": text(),
        "callbackUrl": text(),
        "callbackUrlContentType": text(),
    },
)

_FAX = shape(
    ("id", "direction", "to", "status", "createTime", "hasFile"),
    **{
        "id": text(),
        "direction": enum("OUTBOUND", "INBOUND"),
        "to": text(),
        "from": text(),
        "status": enum("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE"),
        "numberOfPages": whole(0),
        "pagesSentSuccessfully": whole(0),
        "price": shape(("currencyCode", "amount"), currencyCode=text(), amount=text()),
        "pricePerPage": text(),
        "createTime": TIME,
        "completedTime": TIME,
        "retryCount": whole(0),
        "contentUrl": listing(text()),
        "errorType": text(),
        "errorCode": whole(0),
        "errorMessage": text(),
        "hasFile": BOOLEAN,
        "barCodes": listing({"type": "object"}),
        "projectId": text(),
        **_SETTINGS,
    },
)

SERVICE_FIELDS = shape(
    name=text(maxLength=60),
    incomingWebhookUrl=URL,
    webhookContentType=enum(*checks.CALLBACK_TYPES),
    defaultForProject=BOOLEAN,
    defaultFrom=NUMBER,
    numberOfRetries=whole(0, checks.MAX_RETRIES),
    retryDelaySeconds=whole(0, checks.MAX_RETRY_DELAY_S),
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
        shape(("id", "projectId"), id=text(), projectId=text()),
        {**SERVICE_FIELDS, "properties": {**SERVICE_FIELDS["properties"], "incomingWebhookUrl": text()}},
    ]
}

_EMAIL_NUMBER = shape(("number", "permissions"), number=NUMBER, permissions=enum(*PERMISSIONS))
_NUMBER_OF_EMAIL = shape(
    ("phoneNumber", "projectId", "serviceId", "permissions"),
    phoneNumber=NUMBER,
    projectId=text(),
    serviceId=text(),
    permissions=enum(*PERMISSIONS),
)
_EMAIL = shape(
    ("email", "phoneNumbers"),
    email=text(),
    phoneNumbers=listing(_EMAIL_NUMBER),
    projectId=text(),
    createdAt=TIME,
    updatedAt=TIME,
)
_NUMBER_OR_TEXT: Schema = {"anyOf": [NUMBER, shape(("number",), number=NUMBER, permissions=enum(*PERMISSIONS))]}
EMAIL_NUMBERS = shape(("phoneNumbers",), phoneNumbers=listing(_NUMBER_OR_TEXT))
NEW_EMAIL = shape(("email",), email=text(format="email"), phoneNumbers=listing(_NUMBER_OR_TEXT))

NEW_COVER_PAGE = shape(
    ("name", "file"),
    name=text(maxLength=60),
    file=shape(("fileContent", "fileType"), fileContent=text(format="byte"), fileType=enum("PDF")),
)
_COVER_PAGE = shape(
    ("id", "name", "file", "serviceId"),
    id=text(),
    name=text(),
    file=shape(fileContent=text(), fileType=text()),
    projectId=text(),
    serviceId=text(),
    createdTime=TIME,
    updatedTime=TIME,
)

_ERROR = shape(
    ("code", "error", "message"),
    code=text(),
    error=text(),
    message=text(),
    details=shape(fieldViolations=listing(shape(("field", "description"), field=text(), description=text()))),
)


def page(key: str, item: Schema) -> Schema:
    """The envelope of a list."""
    counts = {name: whole(0) for name in ("page", "pageNumber", "pageSize", "totalItems", "totalPages")}
    return shape((key, *counts), **{key: listing(item)}, **counts)


COMPONENTS: dict[str, Schema] = {
    "Fax": _FAX,
    "Faxes": shape(("faxes",), faxes=listing(ref("Fax"))),
    "Service": _SERVICE,
    "Number": shape(("phoneNumber",), phoneNumber=text(), projectId=text(), serviceId=text()),
    "Email": _EMAIL,
    "EmailNumber": _EMAIL_NUMBER,
    "NumberOfEmail": _NUMBER_OF_EMAIL,
    "CoverPage": _COVER_PAGE,
    "Error": _ERROR,
}
