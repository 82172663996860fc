"""The OpenAPI document of the emulated API.

It is written separately, because the routes have no type annotations.
"""

from typing import Any

from dispatcher.emulator import schemas
from dispatcher.emulator.paging import MAX_PAGE_SIZE
from dispatcher.emulator.schemas import Schema, integer, page, ref, text

_PROJECT = "/v3/projects/{projectId}"
_SERVICE = f"{_PROJECT}/services/{{serviceId}}"
_ERRORS = {
    "400": "Not readable, or something necessary is missing",
    "401": "Unknown credentials or project, or an expired token; no body",
    "402": "The balance is zero",
    "404": "No such resource",
    "405": "The path exists, the method does not",
    "413": "Too large",
    "415": "Unknown content type",
    "422": "Invalid parameters, named in details.fieldViolations",
    "429": "Too many requests",
}
_PAGING = {"page": integer(0), "pageSize": integer(1, MAX_PAGE_SIZE)}
_FAX_FILTERS: dict[str, Schema] = {
    "direction": schemas.enum("OUTBOUND", "INBOUND"),
    "status": schemas.enum("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE"),
    "serviceId": text(),
    "to": text(),
    "from": text(),
    "createTime": text(),
    "createTime>": text(),
    "createTime<": text(),
    "format": schemas.enum("csv", "json"),
}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    name: str,
    summary: str,
    path: str,
    success: dict[str, Any] | None,
    *,
    body: dict[str, Any] | None = None,
    query: dict[str, Schema] | None = None,
) -> dict[str, Any]:
    """Describe one operation.

    Args:
        success: The content of the 200 response by content type; None: the operation responds with 204.
        body: The request body by content type.
        query: The schemas of the query parameters by name.
    """
    parameters = [_parameter(part[1:-1], "path", text()) for part in path.split("/") if part.startswith("{")]
    parameters += [_parameter(key, "query", schema) for key, schema in (query or {}).items()]
    responses: dict[str, Any] = {code: {"description": reason} for code, reason in _ERRORS.items()}
    for code in responses.keys() - {"401"}:
        responses[code]["content"] = _json(ref("Error"))
    responses["200" if success else "204"] = {"description": "Done", **({"content": success} if success else {})}
    operation = {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}
    return {**operation, "requestBody": {"content": body}} if body else operation


def _parameter(name: str, location: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": location, "required": location == "path", "schema": schema}


def _fax_paths() -> dict[str, Any]:
    faxes, fax = f"{_PROJECT}/faxes", f"{_PROJECT}/faxes/{{faxId}}"
    send_body = {**_json(schemas.SEND_JSON), "multipart/form-data": {"schema": schemas.SEND_MULTIPART}}
    fax_or_faxes = _json({"anyOf": [ref("Fax"), ref("Faxes")]})
    fax_list = {**_json(page("faxes", ref("Fax"))), "text/csv": {"schema": text()}}
    pdf = {"application/pdf": {"schema": text(format="binary")}}
    return {
        faxes: {
            "post": _operation("sendFax", "Send to one or to several", faxes, fax_or_faxes, body=send_body),
            "get": _operation("listFaxes", "List", faxes, fax_list, query={**_PAGING, **_FAX_FILTERS}),
        },
        fax: {"get": _operation("getFax", "One fax", fax, _json(ref("Fax")))},
        f"{fax}/file": {
            "get": _operation("getContent", "Download the content", f"{fax}/file", pdf),
            "delete": _operation("deleteContent", "Delete the content", f"{fax}/file", None),
        },
        f"{fax}/file.pdf": {"get": _operation("getPdf", "Download the content", f"{fax}/file.pdf", pdf)},
    }


def _service_paths() -> dict[str, Any]:
    services = f"{_PROJECT}/services"
    service, fields = _json(ref("Service")), _json(schemas.SERVICE_FIELDS)
    service_list = _json(page("services", ref("Service")))
    numbers = _json(page("numbers", ref("Number")))
    emails_of_number = f"{_SERVICE}/numbers/{{phoneNumber}}/emails"
    addresses = _json(page("emails", text()))
    return {
        services: {
            "post": _operation("createService", "Create a service", services, service, body=fields),
            "get": _operation("listServices", "List services", services, service_list, query=_PAGING),
        },
        _SERVICE: {
            "get": _operation("getService", "One service", _SERVICE, service),
            "patch": _operation("updateService", "Change the named fields", _SERVICE, service, body=fields),
            "delete": _operation("deleteService", "Remove a service", _SERVICE, None),
        },
        f"{_SERVICE}/numbers": {
            "get": _operation("listNumbers", "Its numbers", f"{_SERVICE}/numbers", numbers, query=_PAGING)
        },
        emails_of_number: {"get": _operation("emailsOfNumber", "Emails", emails_of_number, addresses, query=_PAGING)},
    }


def _email_paths() -> dict[str, Any]:
    emails, email = f"{_SERVICE}/emails", f"{_SERVICE}/emails/{{email}}"
    email_body, email_list = _json(ref("Email")), _json(page("emails", ref("Email")))
    numbers = _json(page("phoneNumbers", ref("NumberOfEmail")))
    new, replaced = _json(schemas.NEW_EMAIL), _json(schemas.EMAIL_NUMBERS)
    return {
        emails: {
            "post": _operation("createEmail", "Add an address", emails, email_body, body=new),
            "get": _operation("listEmails", "List addresses", emails, email_list, query=_PAGING),
        },
        email: {
            "put": _operation("updateEmail", "Replace its numbers", email, email_body, body=replaced),
            "delete": _operation("deleteEmail", "Remove an address", email, None),
        },
        f"{email}/numbers": {
            "get": _operation("numbersOfEmail", "Its numbers", f"{email}/numbers", numbers, query=_PAGING)
        },
    }


def _cover_page_paths() -> dict[str, Any]:
    cover_pages, cover_page = f"{_SERVICE}/coverPages", f"{_SERVICE}/coverPages/{{coverPageId}}"
    page_body, page_list = _json(ref("CoverPage")), _json(page("coverPages", ref("CoverPage")))
    new = _json(schemas.NEW_COVER_PAGE)
    return {
        cover_pages: {
            "post": _operation("createCoverPage", "Add a cover page", cover_pages, page_body, body=new),
            "get": _operation("listCoverPages", "List cover pages", cover_pages, page_list, query=_PAGING),
        },
        cover_page: {
            "get": _operation("getCoverPage", "One cover page", cover_page, page_body),
            "delete": _operation("deleteCoverPage", "Remove a cover page", cover_page, None),
        },
    }


def document() -> dict[str, Any]:
    """Return the OpenAPI document.

    Every operation accepts Basic credentials or an access token.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sinch Fax API v3, emulated", "version": "3"},
        "paths": {**_fax_paths(), **_service_paths(), **_email_paths(), **_cover_page_paths()},
        "components": {
            "schemas": schemas.COMPONENTS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {}}},
                },
            },
        },
        "security": [{"basic": []}, {"token": []}],
    }
