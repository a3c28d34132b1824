"""Waiting for what will be true soon, with a deadline: the only way a test waits."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_S = 0.02


@overload
async def eventually(
    check: Callable[[], Awaitable[T]], *, timeout_s: float = 10.0, every_s: float = POLL_S
) -> T: ...
@overload
async def eventually(check: Callable[[], T], *, timeout_s: float = 10.0, every_s: float = POLL_S) -> T: ...
async def eventually(check: Callable[[], Any], *, timeout_s: float = 10.0, every_s: float = POLL_S) -> Any:
    """Calls `check` until it returns something true, and returns that; AssertionError after the deadline.

    An AssertionError inside `check` counts as "not yet"; the last one is shown when time is up. Every other
    exception passes at once.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        last: str | None = None
        try:
            found = check()
            value = await found if inspect.isawaitable(found) else found
            if value:
                return value
            last = f"the last answer was {value!r}"
        except AssertionError as error:
            last = str(error) or "an assertion failed"
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {timeout_s} s: {last}")
        await asyncio.sleep(every_s)
