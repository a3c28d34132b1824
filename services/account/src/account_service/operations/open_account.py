"""Open one account under an idempotency key."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from service_kit.audit import Origin
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.opening import OpeningRefused, OpeningTerms
from account_service.operations.answer_once import KeyedRequest, earlier_answer, remember
from account_service.operations.open_accounts import Opening, open_accounts


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """The command."""

    client_id: str
    idempotency_key: str
    terms: OpeningTerms
    origin: Origin


async def open_account(
    connection: AsyncConnection,
    command: OpenAccount,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Opening:
    """Open the account, or say that the same request has done so before.

    Raises OpeningRefused and IdempotencyKeyReused.
    """
    fields = asdict(command.terms)
    request = KeyedRequest(
        command.client_id, command.idempotency_key, "open_account", fields, vault.digest_key
    )
    earlier = await earlier_answer(connection, request)
    if earlier is not None:
        return Opening(command.terms, datetime.fromisoformat(earlier["opened_at"]), replayed=True)
    [outcome] = await open_accounts(
        connection,
        command.client_id,
        [command.terms],
        origin=command.origin,
        vault=vault,
        clock=clock,
        new_id=new_id,
    )
    if isinstance(outcome, OpeningRefused):
        raise outcome
    await remember(connection, request, {"opened_at": outcome.opened_at.isoformat()}, at=clock.now())
    return outcome
