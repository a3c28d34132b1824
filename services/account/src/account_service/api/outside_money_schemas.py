"""Money in and out, as it goes over the wire."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from contracts.money import MAX_BALANCE_MINOR
from pydantic import BaseModel, Field, StringConstraints

from account_service.api.schemas import AmountMinor, BalanceOut, Currency, Line140, Line280, Request
from account_service.domain.account import AccountRecord
from account_service.domain.hold import Conditions
from account_service.domain.naming import SETTLEMENT_NAME_PATTERN, settlement_name, settlement_reference
from account_service.operations.movements import MoneyMoved
from account_service.operations.outside_money import Payment

SettlementName = Annotated[
    str,
    StringConstraints(pattern=SETTLEMENT_NAME_PATTERN),
    Field(description="Unique to the client and the currency."),
]


class MovementIn(Request):
    """Money on its way in or out. `settlement` names where outside; left out, the client's ordinary
    settlement account of the currency."""

    amount_minor: AmountMinor
    currency: Currency
    settlement: SettlementName | None = None
    reference: Line140 | None = None
    description: Line280 | None = None

    def payment(self, account: str) -> Payment:
        """What is asked for."""
        return Payment(
            account=account,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            description=self.description,
            settlement=self.settlement,
        )


class DepositIn(MovementIn):
    """Money that came in from outside."""


class ConditionsIn(Request):
    """What must be true of the account when the money leaves it; else nothing leaves."""

    version: Annotated[int, Field(ge=0, le=MAX_BALANCE_MINOR)] | None = None
    available_at_least_minor: (
        Annotated[int, Field(ge=-MAX_BALANCE_MINOR, le=MAX_BALANCE_MINOR, description="Before it leaves.")]
        | None
    ) = None

    def read(self) -> Conditions:
        """The conditions."""
        return Conditions(version=self.version, available_at_least_minor=self.available_at_least_minor)


class WithdrawalIn(MovementIn):
    """Money that is to go out."""

    conditions: ConditionsIn | None = None

    def payment(self, account: str) -> Payment:
        """What is asked for, and on which conditions."""
        payment = super().payment(account)
        if self.conditions is None:
            return payment
        return replace(payment, conditions=self.conditions.read())


class MovementOut(BaseModel):
    """Money that has crossed the border; `settlement_account` is the other account's reference."""

    posting_id: UUID
    account: str
    amount_minor: int
    currency: str
    balance_after_minor: int
    settlement_account: str
    reference: str | None
    description: str | None
    posted_at: datetime

    @classmethod
    def of(cls, payment: Payment, moved: MoneyMoved) -> Self:
        """Tell a movement."""
        return cls(
            posting_id=moved.posting_id,
            account=payment.account,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            balance_after_minor=moved.balance_after_minor,
            settlement_account=settlement_reference(payment.settlement, payment.currency),
            reference=payment.reference,
            description=payment.description,
            posted_at=moved.posted_at,
        )


class DepositOut(MovementOut):
    """Money that has been paid in."""


class WithdrawalOut(MovementOut):
    """Money that has been paid out."""


class SettlementAccountIn(Request):
    """A settlement account to open."""

    name: SettlementName
    currency: Currency


class SettlementAccountOut(BalanceOut):
    """A settlement account as it stands; `name` is null for the client's ordinary one of the currency."""

    name: str | None
    opened_at: datetime

    @classmethod
    def of_record(cls, record: AccountRecord) -> Self:
        """Tell a settlement account."""
        told = BalanceOut.of_account(record.account)
        return cls(
            **told.model_dump(), name=settlement_name(record.account.reference), opened_at=record.opened_at
        )


class SettlementAccountPage(BaseModel):
    """Settlement accounts by reference."""

    items: list[SettlementAccountOut]
    next_cursor: str | None
