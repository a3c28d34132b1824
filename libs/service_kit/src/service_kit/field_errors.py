"""What is wrong with which field: pydantic's findings in our words, with codes that stay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_REPORTED = 50


@dataclass(frozen=True)
class FieldError:
    """One field's fault: `field` is a dotted path, `code` is stable, `message` says what and what to do."""

    field: str
    message: str
    code: str = "invalid"


# pydantic's type -> our code and words. What is not here keeps pydantic's own; whatever would quote the input
# is here.
_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("missing", "is required"),
    "extra_forbidden": ("unknown_field", "is not a field of this request; leave it out"),
    "int_type": ("not_an_integer", "must be an integer, written without quotes, fraction or exponent"),
    "int_parsing": ("not_an_integer", "must be an integer"),
    "int_parsing_size": ("out_of_range", "is too large"),
    "int_from_float": ("not_an_integer", "must be an integer, written without fraction or exponent"),
    "string_type": ("not_a_string", "must be a string"),
    "bool_type": ("not_a_boolean", "must be true or false"),
    "bool_parsing": ("not_a_boolean", "must be true or false"),
    "list_type": ("not_a_list", "must be a list"),
    "dict_type": ("not_an_object", "must be an object"),
    "model_type": ("not_an_object", "must be an object"),
    "model_attributes_type": ("not_an_object", "must be a JSON object"),
    "none_required": ("not_null", "must be null"),
    "greater_than": ("too_small", "must be greater than {gt}"),
    "greater_than_equal": ("too_small", "must be {ge} or more"),
    "less_than": ("too_large", "must be less than {lt}"),
    "less_than_equal": ("too_large", "must be {le} or less"),
    "string_too_short": ("too_short", "must have {min_length} characters or more"),
    "string_too_long": ("too_long", "must have {max_length} characters or fewer"),
    "too_short": ("too_short", "must have {min_length} items or more"),
    "too_long": ("too_long", "must have {max_length} items or fewer"),
    "string_pattern_mismatch": ("bad_format", "must match {pattern}"),
    "string_unicode": ("bad_text", "must be valid Unicode text"),
    "uuid_parsing": ("not_a_uuid", "must be a UUID"),
    "uuid_type": ("not_a_uuid", "must be a UUID, written as a string"),
    "uuid_version": ("not_a_uuid", "must be a UUID of version {expected_version}"),
    "enum": ("not_a_choice", "must be one of {expected}"),
    "literal_error": ("not_a_choice", "must be one of {expected}"),
    "datetime_parsing": ("not_a_time", "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z"),
    "datetime_from_date_parsing": ("not_a_time", "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z"),
    "datetime_type": ("not_a_time", "must be an RFC 3339 time, written as a string"),
    "timezone_aware": ("not_a_time", "must name its offset from UTC"),
    "date_parsing": ("not_a_date", "must be a date, such as 2026-01-31"),
    "date_from_datetime_parsing": ("not_a_date", "must be a date, such as 2026-01-31"),
    # pydantic's own words quote the tag that was sent.
    "union_tag_invalid": ("not_a_choice", "needs as {discriminator} one of {expected_tags}"),
    "union_tag_not_found": ("missing", "needs {discriminator}"),
    "json_invalid": ("invalid_json", "must be valid JSON"),
}
_SOURCES = frozenset({"body", "query", "path", "header", "cookie"})


def field_errors(findings: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Translates pydantic's findings; at most `MAX_REPORTED`, and never a value that was sent."""
    translated = []
    for finding in findings:
        translated.append(_translate(finding))
        if len(translated) == MAX_REPORTED:
            break
    return translated


def _translate(finding: Mapping[str, Any]) -> FieldError:
    kind = str(finding["type"])
    path = _path(finding["loc"])
    context = finding.get("ctx") or {}
    if kind in _WORDS:
        code, words = _WORDS[kind]
        return FieldError(path, words.format_map(_Quoted(context)), code)
    if kind == "value_error" and "error" in context:
        error = context["error"]
        return FieldError(path, str(error), getattr(error, "code", "invalid"))
    return FieldError(path, str(finding["msg"]), kind)


def _path(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in _SOURCES:
        parts = parts[1:]
    # A client may send any text as a key; what is told back of it is bounded.
    return ".".join(parts)[:200]


class _Quoted(dict[str, Any]):
    """Fills a message's places; one that pydantic did not give reads as itself."""

    def __missing__(self, key: str) -> str:
        return key
