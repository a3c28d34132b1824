"""Parked events of all services, and sending again what was sent: each through the service's own role."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging import dead_letters, outbox, parked
from messaging.broker import open_channel
from messaging.failures import BrokerUnavailable, TopologyMissing
from messaging.parked import ParkedEvent
from messaging.topology import Topology
from service_kit.database import Database

from florin.environment import Surroundings
from florin.errors import StackError
from florin.provision import app_of

OPEN = ("parked", "replaying")
ALL = (*OPEN, "replayed", "discarded")
CLIENT_NAME = "florin-command"


@dataclass(frozen=True, slots=True)
class Found:
    """A parked event and whose it is."""

    service: str
    event: ParkedEvent


async def listed(
    surroundings: Surroundings, services: Sequence[str], *, statuses: Sequence[str], limit: int
) -> list[Found]:
    """Up to `limit` parked events of each service, oldest first."""
    found: list[Found] = []
    for service in services:
        async with _database(surroundings, service) as database, database.transaction() as connection:
            events = await parked.find(connection, statuses=statuses, limit=limit)
            found += [Found(service, event) for event in events]
    return found


async def one(surroundings: Surroundings, services: Sequence[str], event_id: UUID) -> list[Found]:
    """The event wherever it is parked: a type with several consumers may be parked by more than one."""
    found: list[Found] = []
    for service in services:
        async with _database(surroundings, service) as database, database.transaction() as connection:
            event = await parked.get(connection, event_id)
            if event is not None:
                found.append(Found(service, event))
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided of parked events; both replay and discard are kept with author and note."""

    replay: bool
    author: str
    note: str


async def decide(
    surroundings: Surroundings, services: Sequence[str], event_ids: Sequence[UUID], decision: Decision
) -> dict[str, list[UUID]]:
    """By service, the events that were parked and are so no longer."""
    act = parked.request_replay if decision.replay else parked.discard
    done: dict[str, list[UUID]] = {}
    for service in services:
        async with _database(surroundings, service) as database, database.transaction() as connection:
            moved = await act(connection, event_ids, author=decision.author, note=decision.note)
            if moved:
                done[service] = moved
    return done


async def all_parked(
    surroundings: Surroundings, services: Sequence[str], *, limit: int = 100_000
) -> list[UUID]:
    """The ids of everything that waits for a decision."""
    found = await listed(surroundings, services, statuses=("parked",), limit=limit)
    return [one.event.event_id for one in found]


async def redrive(surroundings: Surroundings, services: Sequence[str], *, since: datetime) -> dict[str, int]:
    """Sends everything written since then again; how many events, by service. Inboxes make it harmless."""
    counts = {}
    for service in services:
        async with _database(surroundings, service) as database, database.transaction() as connection:
            counts[service] = await outbox.redrive(connection, since=since)
    return counts


async def redrive_dead_letters(surroundings: Surroundings, services: Sequence[str]) -> dict[str, int]:
    """Moves frames from the dead queues back; how many, by service."""
    counts = {}
    try:
        async with open_channel(surroundings.broker_url, name=CLIENT_NAME) as channel:
            for service in services:
                counts[service] = await dead_letters.redrive(
                    channel, Topology(surroundings.namespace), service
                )
    except (BrokerUnavailable, TopologyMissing) as error:
        raise StackError(str(error)) from error
    return counts


@asynccontextmanager
async def _database(surroundings: Surroundings, service: str) -> AsyncIterator[Database]:
    database = Database(surroundings.role_url(app_of(service)), pool_size=1, application_name=CLIENT_NAME)
    try:
        yield database
    finally:
        await database.close()
