"""The Idempotency-Key header: exactly one, where money moves."""

import re

from fastapi import Request

from service_kit.problems import Problem

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
# A reader of the answer learns from it that nothing new was done.
REPLAYED_HEADER = "Idempotency-Replayed"
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,255}")
_NAME = HEADER.lower().encode()


async def idempotency_key(request: Request) -> str:
    """A dependency: the request's key, 1 to 255 visible ASCII characters; else a 400 that says what is
    wrong."""
    values = [value for name, value in request.scope["headers"] if name == _NAME]
    if not values:
        raise _missing()
    if len(values) > 1:
        raise _problem("repeated", "Send one Idempotency-Key header, not several.")
    if _VISIBLE.fullmatch(values[0]) is None:
        raise _problem("invalid", f"The Idempotency-Key must be 1 to {MAX_LENGTH} visible ASCII characters.")
    return str(values[0], "ascii")


async def idempotency_key_if_sent(request: Request) -> str | None:
    """A dependency of a route that does nothing for some queries: the request's key, None without one.

    Only a request with a query may be without: the route then asks `required` where something is done.
    """
    if not request.scope["query_string"] or any(name == _NAME for name, _ in request.scope["headers"]):
        return await idempotency_key(request)
    return None


def required(key: str | None) -> str:
    """The key; the 400 that `idempotency_key` raises if there is none."""
    if key is None:
        raise _missing()
    return key


def _missing() -> Problem:
    return _problem(
        "missing", "Send an Idempotency-Key header: a new one per intent, the same one on a retry."
    )


def _problem(fault: str, detail: str) -> Problem:
    return Problem(400, f"idempotency_key_{fault}", f"Idempotency key {fault}", detail)
