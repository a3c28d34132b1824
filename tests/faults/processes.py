"""Faults of processes."""

from .arena import Arena
from .registry import fault


@fault(short=True)
async def transaction_killed(arena: Arena) -> None:
    """The transaction service is SIGKILLed at any moment."""
    await killed(arena, "transaction")


@fault(short=True)
async def account_killed(arena: Arena) -> None:
    """The account service is SIGKILLed at any moment."""
    await killed(arena, "account")


@fault()
async def fraud_killed(arena: Arena) -> None:
    """The fraud service is SIGKILLed at any moment."""
    await killed(arena, "fraud")


@fault()
async def notification_killed(arena: Arena) -> None:
    """The notification service is SIGKILLed at any moment."""
    await killed(arena, "notification")


async def killed(arena: Arena, service: str) -> None:
    """SIGKILL and a new start."""
    await arena.kill(service)
    arena.fired()
    await arena.start(service)


@fault(short=True)
async def api_killed_before_commit(arena: Arena) -> None:
    """The API is SIGKILLed when it has written payments and sends COMMIT: nothing of them may stand."""
    await arena.kill_at(
        "transaction",
        "postgres",
        lambda seen: seen.what == "statement" and seen.commits and seen.writes("payments"),
    )


@fault(short=True)
async def api_killed_after_commit(arena: Arena) -> None:
    """The API is SIGKILLed when its COMMIT stands and it has not heard so: the payments stand, and a retry
    must find them."""
    await arena.kill_at(
        "transaction",
        "postgres",
        lambda seen: seen.what == "answer" and seen.commits and seen.ok and seen.writes("payments"),
    )
