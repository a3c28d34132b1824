"""Every operation of every service, as its OpenAPI document tells of it, and requests that fit it.

Tests that are driven by it hold for whatever route is added: one that they cannot ask for makes them fail.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from florin.api_docs import openapi_document
from florin.services import PROCESSES

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# Examples of what a pattern or a meaning allows and a schema does not say, by the field's name.
FITTING: Mapping[str, Any] = {
    "currency": "EUR",
    "mobile": "+420601234567",
    "email": "jana@example.com",
    "time_zone": "Europe/Prague",
    "url": "http://127.0.0.1:9/",
    "code": "123456",
    "name": "somebody",
}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. `parameters` by place (`query`, `header`) and name, with their schemas."""

    service: str
    method: str
    path: str
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    required: frozenset[tuple[str, str]]
    body: Mapping[str, Any] | None
    media_type: str | None
    by_cookie: bool

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        """By which tables name it."""
        return self.method, self.path

    @property
    def placeholders(self) -> list[str]:
        """What the path is to be filled with, in order."""
        return _PLACEHOLDER.findall(self.path)

    @property
    def is_list(self) -> bool:
        """Whether it takes a cursor."""
        return ("query", "cursor") in self.parameters

    def at(self, ids: Mapping[str, str]) -> str:
        """The path, filled."""
        return _PLACEHOLDER.sub(lambda found: ids[found[1]], self.path)

    def fitting_body(self, *, all_fields: bool = False) -> Any:
        """A body that the schema allows, with what it asks for or with all that it knows."""
        return None if self.body is None else example(self.body, self._schemas(), all_fields=all_fields)

    def _schemas(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = _document(self.service)["components"]["schemas"]
        return found


def operations() -> Iterator[Operation]:
    """All of them, of all services, in the order of their documents."""
    for service in PROCESSES:
        for path, methods in _document(service)["paths"].items():
            for method, told in methods.items():
                yield _operation(service, method, path, told)


def example(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], *, all_fields: bool, name: str = ""
) -> Any:
    """A value that the schema allows, as small as it may be."""
    schema = _plain(schema, schemas)
    if name in FITTING and schema.get("type") == "string":
        return FITTING[name]
    for word in ("const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        wanted = schema.get("properties", {}) if all_fields else schema.get("required", ())
        return {
            field: example(schema["properties"][field], schemas, all_fields=all_fields, name=field)
            for field in wanted
        }
    if kind == "array":
        return [example(schema["items"], schemas, all_fields=all_fields, name=name)] * schema.get(
            "minItems", 1
        )
    if kind == "integer":
        return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
    if kind == "boolean":
        return False
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    return "none"


def _plain(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, or the first of several that is not null."""
    if "$ref" in schema:
        return _plain(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _plain(next(one for one in schema[word] if one.get("type") != "null"), schemas)
    return schema


def _operation(service: str, method: str, path: str, told: Mapping[str, Any]) -> Operation:
    parameters = [one for one in told.get("parameters", ()) if one["in"] != "path"]
    content = told.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), None)
    schemes = _document(service)["components"]["securitySchemes"]
    cookies = {name for name, scheme in schemes.items() if scheme.get("in") == "cookie"}
    return Operation(
        service=service,
        method=method.upper(),
        path=path,
        parameters={(one["in"], one["name"]): one["schema"] for one in parameters},
        required=frozenset((one["in"], one["name"]) for one in parameters if one.get("required")),
        body=content[media_type]["schema"] if media_type is not None else None,
        media_type=media_type,
        by_cookie=any(way.keys() & cookies for way in told.get("security", ())),
    )


@cache
def _document(service: str) -> dict[str, Any]:
    return openapi_document(service)
