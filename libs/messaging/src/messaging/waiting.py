"""Waiting that ends: for an event or a deadline, and for longer after each failure."""

import asyncio
import random

_MAX_BACK_OFF_S = 5.0


async def wait_for_event(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until `event` is set or `timeout_s` have passed; say whether it is set."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


def back_off_s(failures: int) -> float:
    """Return a pause with full jitter, so that many processes do not come back in step. At most 5 s."""
    return random.uniform(0.05, min(_MAX_BACK_OFF_S, 0.1 * 2 ** min(failures, 10)))  # noqa: S311
