"""What would become of a payment, from what screening and the ledger say of it now."""

from dataclasses import dataclass
from typing import Literal

from transaction_service.domain.lifecycle import Status

DECLINED_BY_SCREENING = "screening_declined"
Screening = Literal["approve", "review", "decline", "unknown"]
Ledger = Literal["completed", "held", "declined", "unknown"]
Expected = Literal["SETTLED", "APPROVED", "REVIEW", "REJECTED", "UNKNOWN"]

_BY_LEDGER: dict[Ledger, Expected] = {
    "completed": "SETTLED",
    "held": "APPROVED",
    "unknown": "UNKNOWN",
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where the payment would come to by itself, and every code by which it would be refused."""

    outcome: Expected
    codes: tuple[str, ...]


def forecast(*, screening: Screening, ledger: Ledger, code: str | None) -> Forecast:
    """Put the two answers together; `code` is the ledger's, where it declines.

    One that refuses is enough to know the end; for any other end both must have answered.
    """
    codes = [DECLINED_BY_SCREENING] if screening == "decline" else []
    if ledger == "declined":
        codes.append(code or "declined")
    if codes:
        return Forecast("REJECTED", tuple(codes))
    if "unknown" in (screening, ledger):
        return Forecast("UNKNOWN", ())
    return Forecast("REVIEW" if screening == "review" else _BY_LEDGER[ledger], ())


assert set(_BY_LEDGER.values()) <= {*Status, "UNKNOWN"}, "a payment comes to one of its states"
