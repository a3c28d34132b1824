"""Dry runs as they are asked for and answered."""

from typing import Annotated, Literal, Self

from contracts.money import MAX_AMOUNT_MINOR
from pydantic import BaseModel, Field, StringConstraints, model_validator

from account_service.api.limit_schemas import EffectiveLimitOut
from account_service.api.outside_money_schemas import ConditionsIn
from account_service.api.schemas import (
    AmountMinor,
    AmountOrNothingMinor,
    BalanceOut,
    Currency,
    Reference,
    Request,
)
from account_service.domain.outcome import Completed, Held
from account_service.domain.posting import PostingKind
from account_service.domain.rules import DeclineCode, Declined
from account_service.operations.dry_run import Forecast, ImaginedPayment

ClientId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]


class HoldOfNothing(ValueError):
    """Only a transfer is captured later."""

    code = "not_a_hold"


class DryRunIn(Request):
    """A payment that nobody has made: parties of `client_id`, a reversal's already swapped. `capture: manual`
    would hold the money, to be captured up to `tolerance_minor` beyond it."""

    client_id: ClientId
    kind: Literal["transfer", "reversal"] = "transfer"
    debtor: Reference
    creditor: Reference
    amount_minor: AmountMinor
    currency: Currency
    capture: Literal["automatic", "manual"] = "automatic"
    tolerance_minor: AmountOrNothingMinor = 0
    conditions: ConditionsIn | None = None

    @model_validator(mode="after")
    def _must_be_a_payment(self) -> Self:
        held = self.capture == "manual"
        if (held and self.kind != "transfer") or (self.tolerance_minor > 0 and not held):
            raise HoldOfNothing("only a transfer is held, and only what is held has a tolerance")
        if self.amount_minor + self.tolerance_minor > MAX_AMOUNT_MINOR:
            raise HoldOfNothing("amount and tolerance together pass the largest amount")
        return self

    def imagined(self) -> ImaginedPayment:
        """Read the payment."""
        return ImaginedPayment(
            client_id=self.client_id,
            kind=PostingKind(self.kind),
            debtor=self.debtor,
            creditor=self.creditor,
            amount_minor=self.amount_minor,
            currency=self.currency,
            held=self.capture == "manual",
            tolerance_minor=self.tolerance_minor,
            conditions=None if self.conditions is None else self.conditions.read(),
        )


class DryRunOut(BaseModel):
    """What the ledger would do now, and how the debtor's balance and limits would then stand;
    as they are when it would decline."""

    outcome: Literal["completed", "held", "declined"]
    code: DeclineCode | None
    field: str | None
    figures: Annotated[
        dict[str, int | str] | None,
        Field(description="What a refusal turned on."),
    ]
    balance_after: BalanceOut | None
    limits: list[EffectiveLimitOut]

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """Tell a forecast."""
        outcome = forecast.outcome
        declined = outcome if isinstance(outcome, Declined) else None
        figures = None if declined is None else declined.figures
        return cls(
            outcome=_WORDS[type(outcome)],
            code=None if declined is None else declined.code,
            field=None if declined is None else declined.field,
            figures=None if figures is None else dict(figures),
            balance_after=None if forecast.debtor is None else BalanceOut.of_account(forecast.debtor),
            limits=[EffectiveLimitOut.of(one) for one in forecast.limits],
        )


_WORDS: dict[type, Literal["completed", "held", "declined"]] = {
    Completed: "completed",
    Held: "held",
    Declined: "declined",
}
