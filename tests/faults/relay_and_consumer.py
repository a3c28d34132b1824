"""Processes SIGKILLed at the moments of a message's way, each at every service that has the moment: relay
before publish, before confirm and before mark, consumer in its transaction and after commit before ack.
"""

import re
from collections.abc import Sequence

from testkit.proxy import Matches
from testkit.wire import Seen

from .arena import Arena
from .registry import fault

RELAYS = ("transaction", "fraud", "account")
CONSUMERS = ("transaction", "fraud", "account", "notification")
# A row taken from the list of what is unsent, or marked in its place; not old rows that are pruned.
_MARK = re.compile(r"\b(UPDATE\s+(\w+\.)?outbox|DELETE\s+FROM\s+(\w+\.)?outbox_unsent)\b", re.IGNORECASE)


@fault(short=True)
async def relay_killed_before_publish(arena: Arena) -> None:
    """The process is SIGKILLed when its relay publishes a committed event: the broker never sees it."""
    await _kill_each(arena, RELAYS, "rabbitmq", lambda seen: seen.what == "publish")


@fault()
async def relay_killed_before_confirm(arena: Arena) -> None:
    """The process is SIGKILLed when the broker has the event and has confirmed it, and before it hears so."""
    await _kill_each(arena, RELAYS, "rabbitmq", lambda seen: seen.what == "confirm")


@fault(short=True)
async def relay_killed_before_mark(arena: Arena) -> None:
    """The process is SIGKILLed when its relay marks events as sent: confirmed, and not marked."""
    await _kill_each(arena, RELAYS, "postgres", marks_sent)


@fault(short=True)
async def consumer_killed_in_transaction(arena: Arena) -> None:
    """The process is SIGKILLed when its consumer has done all of a batch's work and sends COMMIT."""
    await _kill_each(
        arena,
        CONSUMERS,
        "postgres",
        lambda seen: seen.what == "statement" and seen.commits and seen.writes("inbox"),
    )


@fault(short=True)
async def consumer_killed_before_ack(arena: Arena) -> None:
    """The process is SIGKILLed when its consumer's commit stands and the acknowledgement is on its way."""
    await _kill_each(arena, CONSUMERS, "rabbitmq", lambda seen: seen.what == "ack")


def marks_sent(seen: Seen) -> bool:
    """Whether the relay now records what the broker has confirmed."""
    return seen.what == "statement" and _MARK.search(seen.text) is not None


async def _kill_each(arena: Arena, services: Sequence[str], server: str, matches: Matches) -> None:
    for service in arena.some(services):
        await arena.kill_at(service, server, matches)
