"""One movement that a client asks for under a key: what deposits, withdrawals and collections share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.outcome import Completed
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode, Declined
from account_service.operations.post_batch import post_batch
from account_service.persistence.accounts import lock_accounts


@dataclass(frozen=True, slots=True)
class MoneyMoved:
    """The posting, and the balance that it left; `replayed` if an earlier request made it."""

    posting_id: UUID
    balance_after_minor: int
    posted_at: datetime
    replayed: bool

    def answer(self) -> dict[str, Any]:
        """What is kept under the key."""
        return {
            "posting_id": str(self.posting_id),
            "balance_after_minor": self.balance_after_minor,
            "posted_at": self.posted_at.isoformat(),
        }

    @classmethod
    def told_before(cls, answer: Mapping[str, Any]) -> Self:
        """What was kept under the key."""
        return cls(
            UUID(answer["posting_id"]),
            answer["balance_after_minor"],
            datetime.fromisoformat(answer["posted_at"]),
            replayed=True,
        )


class MovementDeclined(Exception):
    """Nothing was moved. `code` is stable; `field` is at fault; `figures` tell why."""

    def __init__(
        self, kind: PostingKind, code: str, field: str, figures: Mapping[str, int | str] | None = None
    ) -> None:
        super().__init__(f"{kind} declined: {code}")
        self.kind = kind
        self.code = code
        self.field = field
        self.figures = figures


CURRENCY_MISMATCH = (DeclineCode.CURRENCY_MISMATCH.value, "currency")
CLOSED = ("account_closed", "account")
# The ledger's codes speak of debtor and creditor; who asks for one movement knows one account only.
_TOLD: Mapping[DeclineCode, tuple[str, str]] = {
    DeclineCode.CREDITOR_FROZEN: ("account_frozen", "account"),
    DeclineCode.DEBTOR_FROZEN: ("account_frozen", "account"),
    DeclineCode.CREDITOR_CLOSED: CLOSED,
    DeclineCode.DEBTOR_CLOSED: CLOSED,
    DeclineCode.CURRENCY_MISMATCH: CURRENCY_MISMATCH,
    DeclineCode.BALANCE_LIMIT_EXCEEDED: ("balance_limit_exceeded", "amount_minor"),
}


async def move_money(
    connection: AsyncConnection,
    posting: PostingRequest,
    account: str,
    *,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> MoneyMoved:
    """Post it, and tell the balance that it left on the client's account; raises MovementDeclined."""
    [outcome] = await post_batch(connection, [posting], clock=clock, new_id=new_id)
    if isinstance(outcome, Declined):
        code, field = _TOLD.get(outcome.code, (outcome.code.value, outcome.field))
        raise MovementDeclined(posting.kind, code, field, outcome.figures)
    assert isinstance(outcome, Completed), "what is no payment is posted or declined"
    # Held since the posting, so this is the balance that it left.
    [standing] = await lock_accounts(connection, [(posting.client_id, account)])
    return MoneyMoved(outcome.posting_id, standing.posted_minor, outcome.posted_at, replayed=False)
