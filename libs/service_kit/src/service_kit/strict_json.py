"""JSON as RFC 8259 and I-JSON (RFC 7493) mean it: what another parser might read otherwise is refused.

No duplicate keys, no NaN or Infinity, no number past a double, no NUL and no lone surrogate in a text, no
depth that would cost a stack. The checks that need a walk run only when the bytes give cause.
"""

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
_NOT_BRACKETS = re.compile(rb"[^\[\]{}]+")
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class JsonRefused(Exception):
    """The text is not JSON that everybody would read alike; `code` is stable, the text says where and why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def parse(body: bytes | bytearray, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of `body`; raises `JsonRefused` unless it is strict JSON."""
    if body.count(b"[") + body.count(b"{") > max_depth:
        _check_depth(body, max_depth)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefused("invalid_json", f"The body is not valid UTF-8 at byte {error.start}.") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonRefused("invalid_json", f"The body is not valid JSON at {where}.") from None
    except RecursionError:
        raise JsonRefused("json_too_deep", "The body is nested too deeply.") from None
    except ValueError as error:
        # Python's bound on the digits of an integer.
        raise JsonRefused("invalid_json", "The body has a number of too many digits.") from error
    if _SUSPECT_ESCAPE.search(body) is not None:
        _check_texts(value)
    return value


def _check_depth(body: bytes | bytearray, max_depth: int) -> None:
    """Counts the levels by taking away the innermost pairs, a level a round, each at the speed of C."""
    brackets = _NOT_BRACKETS.sub(b"", _STRINGS.sub(b"", body))
    for _ in range(max_depth):
        shorter = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    # What is left is either deeper than allowed or unbalanced, which the parser then tells with its place.
    if b"{}" in brackets or b"[]" in brackets or len(brackets) > 2 * max_depth:
        raise JsonRefused("json_too_deep", f"The body is nested deeper than {max_depth} levels.")


def _check_texts(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise JsonRefused("invalid_text", "The body has a text with a NUL character (\\u0000).")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise JsonRefused("invalid_text", "The body has a text with half of a surrogate pair.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        shown = repeated[:60].encode("ascii", "replace").decode()
        raise JsonRefused("duplicate_key", f"The body names {shown!r} twice in one object.")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonRefused("invalid_json", "The body has a number that is too large.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefused("invalid_json", f"The body has {name}, which is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
