"""Open up to a thousand accounts in one request, each with an outcome of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from service_kit.audit import Origin
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.opening import OpeningTerms
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.open_accounts import Opening, OpeningOutcome, open_accounts


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an item was not opened. It stays refused under this batch's key, whatever the accounts become."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """The command: what each item asks for, or why it is refused; `raw` are the items as they were sent."""

    client_id: str
    idempotency_key: str
    items: Sequence[OpeningTerms | Refusal]
    raw: Sequence[Any]
    origin: Origin


@dataclass(frozen=True, slots=True)
class BatchOpened:
    """One outcome for each item, in order; `replayed` if this very batch was answered before."""

    outcomes: Sequence[Literal["opened", "replayed"] | Refusal]
    replayed: bool


async def open_batch(
    connection: AsyncConnection,
    command: OpenBatch,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> BatchOpened:
    """Open what can be opened. Raises IdempotencyKeyReused, having done nothing."""
    fields = {f"accounts.{index}": item for index, item in enumerate(command.raw)}
    request = KeyedRequest(
        command.client_id, command.idempotency_key, "open_accounts", fields, vault.digest_key
    )
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        return BatchOpened([_read(told) for told in earlier["outcomes"]], replayed=True)
    terms = [item for item in command.items if isinstance(item, OpeningTerms)]
    opened = iter(
        await open_accounts(
            connection,
            command.client_id,
            terms,
            origin=command.origin,
            vault=vault,
            clock=clock,
            new_id=new_id,
        )
        if terms
        else []
    )
    outcomes = [item if isinstance(item, Refusal) else _outcome(next(opened)) for item in command.items]
    await remember(
        connection, request, {"outcomes": [_write(outcome) for outcome in outcomes]}, at=clock.now()
    )
    return BatchOpened(outcomes, replayed=False)


def _outcome(outcome: OpeningOutcome) -> Literal["opened", "replayed"] | Refusal:
    if isinstance(outcome, Opening):
        return "replayed" if outcome.replayed else "opened"
    return Refusal(outcome.code, outcome.fields[0], outcome.message)


def _write(outcome: str | Refusal) -> str | list[str]:
    return [outcome.code, outcome.field, outcome.message] if isinstance(outcome, Refusal) else outcome


def _read(told: str | Sequence[str] | Mapping[str, Any]) -> Literal["opened", "replayed"] | Refusal:
    if isinstance(told, str):
        return "replayed" if told == "replayed" else "opened"
    code, field, message = told
    return Refusal(code, field, message)
