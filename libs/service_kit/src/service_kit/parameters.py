"""Query parameters, as strict as bodies: what is not understood is refused, not ignored.

A misspelt filter that is ignored gives a list of everything, which a caller takes for the answer.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import AfterValidator, BaseModel, BeforeValidator, WithJsonSchema

from service_kit.field_errors import FieldError
from service_kit.problems import invalid_request

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_UNKNOWN = ("is not a parameter of this request; leave it out", "unknown_field")
_REPEATED = ("is given more than once; give it once", "repeated_field")

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


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(_rfc3339(value).upper())
    except NotATime:
        raise
    except ValueError:
        raise NotATime("must be a time that exists") from None


# An instant in a body, which is read strictly.
BodyInstant = Annotated[
    datetime,
    BeforeValidator(_read),
    AfterValidator(_in_calendar),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# An instant as a query parameter.
Instant = Annotated[
    datetime,
    BeforeValidator(_rfc3339),
    AfterValidator(_in_calendar),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


async def only_known_parameters(request: Request) -> None:
    """A dependency of every route: refuses query parameters that the route does not have, and one that is
    given twice where the route takes one: whichever was meant, the other would be ignored."""
    if not request.scope["query_string"]:
        return
    known = dict(_parameters(request.scope["route"].dependant))
    times = Counter(name for name, _ in request.query_params.multi_items())
    refused = [FieldError(name[:200], *_UNKNOWN) for name in times if name not in known] + [
        FieldError(name, *_REPEATED)
        for name, count in times.items()
        if count > 1 and known.get(name) is False
    ]
    if refused:
        raise invalid_request(*refused[:50])


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The name of each query parameter, and whether it may be given many times."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield field.alias or name, _takes_many(field.annotation)
        else:
            yield parameter.alias, _takes_many(model)
    for dependency in dependant.dependencies:
        yield from _parameters(dependency)


def _takes_many(annotation: Any) -> bool:
    """Whether a list is among what the annotation allows."""
    return get_origin(annotation) is list or any(_takes_many(part) for part in get_args(annotation))
