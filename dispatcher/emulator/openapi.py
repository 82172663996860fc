"""The OpenAPI document of the provider's paths, written from the contract (the routes carry no types)."""

from typing import Any

from dispatcher.emulator import schemas
from dispatcher.emulator.paging import MOST_PER_PAGE
from dispatcher.emulator.schemas import Schema, page, ref, text, whole

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
_PAGING = {"page": whole(0), "pageSize": whole(1, MOST_PER_PAGE)}
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
    asked: dict[str, Schema] | None = None,
) -> dict[str, Any]:
    """One operation. `success` and `body` map content types to media; no success content means 204."""
    parameters = [_parameter(part[1:-1], "path", text()) for part in path.split("/") if part.startswith("{")]
    parameters += [_parameter(key, "query", schema) for key, schema in (asked or {}).items()]
    answers: dict[str, Any] = {code: {"description": why} for code, why in _ERRORS.items()}
    for code in answers.keys() - {"401"}:
        answers[code]["content"] = _json(ref("Error"))
    answers["200" if success else "204"] = {"description": "Done", **({"content": success} if success else {})}
    operation = {"operationId": name, "summary": summary, "parameters": parameters, "responses": answers}
    return {**operation, "requestBody": {"content": body}} if body else operation


def _parameter(name: str, where: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _fax_paths() -> dict[str, Any]:
    faxes, fax = f"{_PROJECT}/faxes", f"{_PROJECT}/faxes/{{faxId}}"
    send_body = {**_json(schemas.SEND_JSON), "multipart/form-data": {"schema": schemas.SEND_MULTIPART}}
    one_or_many = _json({"anyOf": [ref("Fax"), ref("Faxes")]})
    found = {**_json(page("faxes", ref("Fax"))), "text/csv": {"schema": text()}}
    pdf = {"application/pdf": {"schema": text(format="binary")}}
    return {
        faxes: {
            "post": _operation("sendFax", "Send to one or to several", faxes, one_or_many, body=send_body),
            "get": _operation("listFaxes", "List", faxes, found, asked={**_PAGING, **_FAX_FILTERS}),
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
    one, fields = _json(ref("Service")), _json(schemas.SERVICE_FIELDS)
    many = _json(page("services", ref("Service")))
    numbers = _json(page("numbers", ref("Number")))
    emails_of_number = f"{_SERVICE}/numbers/{{phoneNumber}}/emails"
    addresses = _json(page("emails", text()))
    return {
        services: {
            "post": _operation("createService", "Create a service", services, one, body=fields),
            "get": _operation("listServices", "List services", services, many, asked=_PAGING),
        },
        _SERVICE: {
            "get": _operation("getService", "One service", _SERVICE, one),
            "patch": _operation("updateService", "Change the named fields", _SERVICE, one, body=fields),
            "delete": _operation("deleteService", "Remove a service", _SERVICE, None),
        },
        f"{_SERVICE}/numbers": {
            "get": _operation("listNumbers", "Its numbers", f"{_SERVICE}/numbers", numbers, asked=_PAGING)
        },
        emails_of_number: {"get": _operation("emailsOfNumber", "Emails", emails_of_number, addresses, asked=_PAGING)},
    }


def _email_paths() -> dict[str, Any]:
    emails, email = f"{_SERVICE}/emails", f"{_SERVICE}/emails/{{email}}"
    one, many = _json(ref("Email")), _json(page("emails", ref("Email")))
    numbers = _json(page("phoneNumbers", ref("NumberOfEmail")))
    new, replaced = _json(schemas.NEW_EMAIL), _json(schemas.EMAIL_NUMBERS)
    return {
        emails: {
            "post": _operation("createEmail", "Add an address", emails, one, body=new),
            "get": _operation("listEmails", "List addresses", emails, many, asked=_PAGING),
        },
        email: {
            "put": _operation("updateEmail", "Replace its numbers", email, one, body=replaced),
            "delete": _operation("deleteEmail", "Remove an address", email, None),
        },
        f"{email}/numbers": {
            "get": _operation("numbersOfEmail", "Its numbers", f"{email}/numbers", numbers, asked=_PAGING)
        },
    }


def _cover_page_paths() -> dict[str, Any]:
    pages, one_page = f"{_SERVICE}/coverPages", f"{_SERVICE}/coverPages/{{coverPageId}}"
    one, many = _json(ref("CoverPage")), _json(page("coverPages", ref("CoverPage")))
    new = _json(schemas.NEW_COVER_PAGE)
    return {
        pages: {
            "post": _operation("createCoverPage", "Add a cover page", pages, one, body=new),
            "get": _operation("listCoverPages", "List cover pages", pages, many, asked=_PAGING),
        },
        one_page: {
            "get": _operation("getCoverPage", "One cover page", one_page, one),
            "delete": _operation("deleteCoverPage", "Remove a cover page", one_page, None),
        },
    }


def document() -> dict[str, Any]:
    """The whole document; Basic credentials or an access token on every operation."""
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
