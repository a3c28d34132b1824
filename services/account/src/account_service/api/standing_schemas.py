"""What goes over the wire about an account's overdraft and holds."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from account_service.api.schemas import AmountOrNothingMinor, Reason, Request
from account_service.domain.account import OverdraftChange
from account_service.domain.hold import Hold, HoldState


class OverdraftIn(Request):
    """How far below zero the balance may go, and why."""

    overdraft_minor: AmountOrNothingMinor
    reason: Reason


class OverdraftChangeOut(BaseModel):
    """One change."""

    previous_minor: int
    overdraft_minor: int
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None

    @classmethod
    def of(cls, change: OverdraftChange) -> Self:
        """Tell a change."""
        return cls.model_validate(change, from_attributes=True)


class OverdraftChangePage(BaseModel):
    """Changes, newest first."""

    items: list[OverdraftChangeOut]
    next_cursor: str | None


class HoldOut(BaseModel):
    """Money that is held for a payment; `remaining_minor` is its part of the account's `held_minor`."""

    payment_id: UUID
    creditor: str
    currency: str
    amount_minor: int
    tolerance_minor: Annotated[int, Field(description="How far all captures together may pass the amount.")]
    captured_many_times: bool
    captured_minor: int
    remaining_minor: int
    released_minor: int
    state: HoldState
    placed_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    reason: str | None
    author: str | None

    @classmethod
    def of(cls, hold: Hold) -> Self:
        """Tell a hold."""
        end = hold.end
        return cls(
            payment_id=hold.payment_id,
            creditor=hold.creditor,
            currency=hold.currency,
            amount_minor=hold.amount_minor,
            tolerance_minor=hold.terms.tolerance_minor,
            captured_many_times=hold.terms.captured_many_times,
            captured_minor=hold.captured_minor,
            remaining_minor=hold.remaining_minor,
            released_minor=hold.released_minor,
            state=hold.state,
            placed_at=hold.placed_at,
            expires_at=hold.terms.expires_at,
            ended_at=None if end is None else end.at,
            reason=None if end is None else end.reason,
            author=None if end is None else end.author,
        )


class HoldPage(BaseModel):
    """Holds, the latest first."""

    items: list[HoldOut]
    next_cursor: str | None
