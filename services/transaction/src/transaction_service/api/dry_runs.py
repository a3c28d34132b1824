"""A payment tried and not made: the same reading, the same parties, the same decisions; nothing changes."""

from typing import Annotated, Any, Literal, TypeVar

from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from transaction_service.domain.forecast import Expected, forecast
from transaction_service.domain.payment import PaymentOrder
from transaction_service.domain.terms import field_of_request
from transaction_service.outbound.peers import NoAnswer, PeerAnswer, Peers

Told = TypeVar("Told", bound=BaseModel)


class LedgerForecast(BaseModel):
    """What the ledger would do: post, hold, or decline with code, field and figures; what would be left."""

    model_config = ConfigDict(extra="ignore")

    outcome: Literal["completed", "held", "declined"]
    code: str | None = None
    field: Annotated[str | None, AfterValidator(field_of_request)] = None
    figures: dict[str, int | str] | None = None
    balance_after: dict[str, Any] | None = None
    limits: list[dict[str, Any]] = Field(default_factory=list)


class ScreeningForecast(BaseModel):
    """What screening would decide, and why."""

    model_config = ConfigDict(extra="ignore")

    decision: Literal["approve", "review", "decline"]
    score: int
    reasons: list[str]
    rules_version: int


class UnknownPart(BaseModel):
    """A part of the answer that could not be had, and why."""

    part: Literal["ledger", "screening"]
    reason: str


class TriedPayment(BaseModel):
    """The payment as it was understood, its parties found."""

    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    capture: str


class DryRunOut(BaseModel):
    """What would become of the payment if it were made now. Nothing was changed.

    `outcome` is the state it would come to by itself, UNKNOWN where a part could not answer and the others
    do not refuse.
    """

    dry_run: Literal[True] = True
    outcome: Expected
    codes: list[str]
    payment: TriedPayment
    ledger: LedgerForecast | None
    screening: ScreeningForecast | None
    unknown: list[UnknownPart]


async def try_payment(peers: Peers, order: PaymentOrder) -> Response:
    """Ask who would decide, and put their answers together."""
    account, fraud = await peers.ask(account=_for_account(order), fraud=_facts(order))
    ledger = _read(LedgerForecast, account)
    screening = _read(ScreeningForecast, fraud)
    expected = forecast(
        screening="unknown" if isinstance(screening, NoAnswer) else screening.decision,
        ledger="unknown" if isinstance(ledger, NoAnswer) else ledger.outcome,
        code=None if isinstance(ledger, NoAnswer) else ledger.code,
    )
    unknown = []
    if isinstance(ledger, NoAnswer):
        unknown.append(UnknownPart(part="ledger", reason=ledger.reason))
    if isinstance(screening, NoAnswer):
        unknown.append(UnknownPart(part="screening", reason=screening.reason))
    told = DryRunOut(
        outcome=expected.outcome,
        codes=list(expected.codes),
        payment=TriedPayment(
            debtor=order.debtor,
            creditor=order.creditor,
            amount_minor=order.amount_minor,
            currency=order.currency,
            capture=order.capture,
        ),
        ledger=None if isinstance(ledger, NoAnswer) else ledger,
        screening=None if isinstance(screening, NoAnswer) else screening,
        unknown=unknown,
    )
    return Response(told.model_dump_json(), media_type="application/json")


def _facts(order: PaymentOrder) -> dict[str, Any]:
    return {
        "client_id": order.client_id,
        "kind": order.kind.value,
        "debtor": order.debtor,
        "creditor": order.creditor,
        "amount_minor": order.amount_minor,
        "currency": order.currency,
    }


def _for_account(order: PaymentOrder) -> dict[str, Any]:
    body = _facts(order)
    if order.hold is not None:
        body |= {"capture": order.capture, "tolerance_minor": order.hold.tolerance_minor}
    conditions = order.terms.conditions if order.terms is not None else None
    if conditions is not None:
        body["conditions"] = {
            "version": conditions.version,
            "available_at_least_minor": conditions.available_at_least_minor,
        }
    return body


def _read(model: type[Told], answer: PeerAnswer) -> Told | NoAnswer:
    if isinstance(answer, NoAnswer):
        return answer
    try:
        return model.model_validate(answer)
    except ValidationError:
        return NoAnswer("malformed_answer")
