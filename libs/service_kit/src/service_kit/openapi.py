"""The OpenAPI document: what FastAPI finds, with our problems, keys and headers in place of its defaults."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from service_kit import idempotency
from service_kit.problems import MEDIA_TYPE
from service_kit.protection import cookie_asked, dependency_calls, is_public, ways_in

_SCHEME = "ApiKey"
_COOKIE_SCHEME = "Session"
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_TEXT = {"type": "string"}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem. `code` is stable; `trace_id` is what support asks for.",
    "required": ["type", "title", "status", "code", "detail", "errors", "trace_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "code"],
                "properties": {"field": _TEXT, "message": _TEXT, "code": _TEXT},
            },
        },
        "trace_id": {"type": ["string", "null"]},
        "request_id": {"type": "string", "description": "The request's X-Request-ID, if one was sent."},
    },
}
_IDEMPOTENCY_PARAMETER = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": True,
    "description": "One new key per intent; the same key on a retry. It is never done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_LENGTH, "pattern": "^[!-~]+$"},
}
_ALWAYS = {
    "400": "The request cannot be read.",
    "401": "No valid API key or access token.",
    "403": "The credential lacks a scope, which `WWW-Authenticate` names.",
    "422": "A field is wrong; `errors` names each.",
    "429": "Too many requests; retry after the seconds of Retry-After.",
    "500": "A fault of ours.",
    "503": "Temporarily unavailable; retry, a change with the same Idempotency-Key.",
}
_WITH_PATH = {"404": "There is no such thing, or it belongs to another client."}
_WITH_BODY = {
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: flk_…; its scopes say what it may do.",
        }
    }
    for route in iter_route_contexts(app.routes):
        if (cookie := cookie_asked(route)) is not None:
            components["securitySchemes"][_COOKIE_SCHEME] = {
                "type": "apiKey",
                "in": "cookie",
                "name": cookie,
                "description": "What a browser was given when its person signed in.",
            }
        for method in getattr(route, "methods", None) or ():
            operation = document["paths"].get(route.path_format or route.path, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route)
    app.openapi_schema = document
    return document


def _complete(operation: dict[str, Any], route: Any) -> None:
    # The operation is called what its function is called.
    operation["operationId"] = route.operation_id or route.name
    ways = [sorted(scopes) for scopes in ways_in(route)]
    if ways:
        operation["security"] = [{_SCHEME: scopes} for scopes in ways]
        told = " or ".join(", ".join(scopes) for scopes in ways)
        operation["description"] = "\n\n".join(
            part for part in (operation.get("description"), f"Scopes: {told}.") if part
        )
    if idempotency.idempotency_key in dependency_calls(route.dependant):
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_PARAMETER)
    if idempotency.idempotency_key_if_sent in dependency_calls(route.dependant):
        words = "Required unless the query says that nothing is to be done. One new key per intent."
        parameter = {**_IDEMPOTENCY_PARAMETER, "required": False, "description": words}
        operation.setdefault("parameters", []).append(parameter)
    answers = dict(_ALWAYS)
    if is_public(route):
        # Nobody is asked for a credential; a standard's own refusals stand as the route describes them.
        operation["security"] = [] if cookie_asked(route) is None else [{_COOKIE_SCHEME: []}]
        for of_credentials in ("401", "403", "429"):
            del answers[of_credentials]
    if "{" in route.path:
        answers |= _WITH_PATH
    if "requestBody" in operation:
        answers |= _WITH_BODY
    responses = operation.setdefault("responses", {})
    for status, words in answers.items():
        told = responses.get(status, {}).get("description", words)
        if told == "Validation Error":
            told = words
        elif is_public(route) and "content" in responses.get(status, {}):
            continue
        responses[status] = {"description": told, "content": {MEDIA_TYPE: {"schema": _PROBLEM_REF}}}
    operation["responses"] = dict(sorted(responses.items()))
