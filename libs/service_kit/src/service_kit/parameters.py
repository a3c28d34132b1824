"""Query parameters, as strict as bodies: what is not understood is refused, not ignored.

A misspelt filter that is ignored gives a list of everything, which a caller takes for the answer.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import AfterValidator, BaseModel, BeforeValidator, WithJsonSchema

from service_kit.field_errors import FieldError
from service_kit.problems import invalid_request

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

# What every part of the system can hold and compare, whatever the offset.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class NotATime(ValueError):
    """The text is not an RFC 3339 time with its offset."""

    code = "not_a_time"


def _rfc3339(value: Any) -> Any:
    # Left to itself the reader takes numbers for seconds since 1970, and a time without an offset.
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise NotATime("must be an RFC 3339 time with an offset from UTC, such as 2026-01-31T12:00:00Z")
    return value


def _in_calendar(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise NotATime("must lie between the years 1900 and 9999")
    return moment


# An instant as a query parameter.
Instant = Annotated[
    datetime,
    BeforeValidator(_rfc3339),
    AfterValidator(_in_calendar),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


async def only_known_parameters(request: Request) -> None:
    """A dependency of every route: refuses query parameters that the route does not have."""
    if not request.scope["query_string"]:
        return
    known = set(_names(request.scope["route"].dependant))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        message = "is not a parameter of this request; leave it out"
        raise invalid_request(*(FieldError(name[:200], message, "unknown_field") for name in unknown[:50]))


def _names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (field.alias or name for name, field in model.model_fields.items())
        else:
            yield parameter.alias
    for dependency in dependant.dependencies:
        yield from _names(dependency)
