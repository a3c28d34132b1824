"""Which operation takes which message."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from contracts.messages import (
    CustomerAccountOpened,
    CustomerRegistered,
    FraudAssessed,
    HoldEnded,
    HoldPlaced,
    Payload,
    PostingCompleted,
    PostingDeclined,
    ReviewResolved,
)
from messaging.event import Event
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.operations.record_assessments import record_assessments, record_reviews
from transaction_service.operations.record_holds import record_ends, record_placements
from transaction_service.operations.record_parties import record_accounts, record_registrations
from transaction_service.operations.record_postings import record_completions, record_declines

Operation = Callable[..., Awaitable[None]]
Handler = Callable[[AsyncConnection, Sequence[Event[Any]]], Awaitable[None]]

_OPERATIONS: Mapping[type[Payload], Operation] = {
    FraudAssessed: record_assessments,
    ReviewResolved: record_reviews,
    PostingCompleted: record_completions,
    PostingDeclined: record_declines,
    HoldPlaced: record_placements,
    HoldEnded: record_ends,
    CustomerRegistered: record_registrations,
    CustomerAccountOpened: record_accounts,
}


def handlers(clock: Clock) -> dict[type[Payload], Handler]:
    """Return the handler of each message type that this service consumes."""
    return {payload: _at_now(operation, clock) for payload, operation in _OPERATIONS.items()}


def _at_now(operation: Operation, clock: Clock) -> Handler:
    async def handle(connection: AsyncConnection, events: Sequence[Event[Any]]) -> None:
        await operation(connection, events, at=clock.now())

    return handle
