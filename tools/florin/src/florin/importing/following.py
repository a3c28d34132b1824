"""Waiting for the end of what was accepted, while it is still being sent and after."""

import asyncio
import time
from collections.abc import Awaitable

from florin.importing.progress import Watcher
from florin.importing.settlement import Outcome, Settlement

# How often to look: seldom while there is sending to do, closely when only the end is awaited.
LOOK_WHILE_SENDING_S = 0.25
LOOK_AT_END_S = 0.03
_FIRST_SWEEP_S = 1.0
_LONGEST_SWEEP_S = 15.0


async def feed_and_follow(
    feeding: Awaitable[None], settlement: Settlement, watcher: Watcher, patience_s: float
) -> Outcome:
    """Follows payments while they are still being sent, and on to the end."""

    async def follow() -> None:
        while True:
            await asyncio.sleep(LOOK_WHILE_SENDING_S)
            await settlement.look()
            watcher.through(settlement.through, settlement.accepted)

    following = asyncio.create_task(follow())
    try:
        await feeding
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await _until_still(settlement, watcher, patience_s)
    outcome = await settlement.outcome()
    watcher.through(settlement.accepted - outcome.unfinished, settlement.accepted)
    return outcome


async def _until_still(settlement: Settlement, watcher: Watcher, patience_s: float) -> None:
    """Returns when none of the payments moves any more, or nothing has moved for as long as patience."""
    moved_at = time.monotonic()
    sweep_at, sweep_every_s = moved_at + _FIRST_SWEEP_S, _FIRST_SWEEP_S
    left = settlement.accepted
    while True:
        if await settlement.look():
            moved_at = time.monotonic()
            watcher.through(settlement.through, settlement.accepted)
        if settlement.all_through or time.monotonic() > sweep_at:
            still = await settlement.still_moving()
            if still == 0:
                return
            if still < left:
                left, moved_at, sweep_every_s = still, time.monotonic(), _FIRST_SWEEP_S / 10
            # A sweep reads what is open page by page: ever more seldom while nothing moves.
            sweep_at = time.monotonic() + sweep_every_s
            sweep_every_s = min(2 * sweep_every_s, _LONGEST_SWEEP_S)
            if time.monotonic() - moved_at > patience_s:
                return
            if settlement.all_through:
                await asyncio.sleep(min(sweep_every_s, 1.0))
        await asyncio.sleep(LOOK_AT_END_S)
