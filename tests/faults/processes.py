"""Faults of processes."""

from .arena import Arena
from .registry import fault


@fault(short=True)
async def transaction_killed(arena: Arena) -> None:
    """The transaction service is SIGKILLed at any moment."""
    await arena.kill("transaction")
    arena.fired()
    await arena.start("transaction")
