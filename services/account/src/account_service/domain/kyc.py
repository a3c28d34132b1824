"""How well a customer is known: a level is asked for, and reached only when somebody approves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class KycLevel(StrEnum):
    """None at first; limits may depend on it."""

    NONE = "none"
    BASIC = "basic"
    FULL = "full"


class KycState(StrEnum):
    """Where the latest request for a level stands; NEW while there has been none."""

    NEW = "new"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"


NEXT: Mapping[KycState, frozenset[KycState]] = {
    KycState.NEW: frozenset({KycState.SUBMITTED}),
    KycState.SUBMITTED: frozenset({KycState.APPROVED, KycState.REJECTED}),
    KycState.APPROVED: frozenset({KycState.SUBMITTED}),
    KycState.REJECTED: frozenset({KycState.SUBMITTED}),
}
assert set(NEXT) == set(KycState), "every state must say where it leads"

_RANK: Mapping[KycLevel, int] = {level: rank for rank, level in enumerate(KycLevel)}


class IllegalKycMove(Exception):
    """The workflow knows no way from where it stands to what was asked; `field` is at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Kyc:
    """A customer's standing. `asked` is the level of the latest request, None while there has been none."""

    level: KycLevel = KycLevel.NONE
    state: KycState = KycState.NEW
    asked: KycLevel | None = None

    def submit(self, level: KycLevel) -> "Kyc":
        """Ask for a level above the present one; the same request again stays as it is.

        Raises IllegalKycMove.
        """
        if self.state is KycState.SUBMITTED and self.asked is level:
            return self
        self._refuse_unless(KycState.SUBMITTED, f"a request for {self.asked} waits for its decision")
        if _RANK[level] <= _RANK[self.level]:
            raise IllegalKycMove("level", f"the customer has the level {self.level} already")
        return Kyc(self.level, KycState.SUBMITTED, level)

    def approve(self, level: KycLevel) -> "Kyc":
        """Grant what was asked; the same decision again stays as it is. Raises IllegalKycMove."""
        if self.state is KycState.APPROVED and self.asked is level:
            return self
        self._refuse_decision(KycState.APPROVED, level)
        return Kyc(level, KycState.APPROVED, level)

    def reject(self, level: KycLevel) -> "Kyc":
        """Refuse what was asked: the level stays. The same decision again stays as it is.

        Raises IllegalKycMove.
        """
        if self.state is KycState.REJECTED and self.asked is level:
            return self
        self._refuse_decision(KycState.REJECTED, level)
        return Kyc(self.level, KycState.REJECTED, level)

    def _refuse_decision(self, wanted: KycState, level: KycLevel) -> None:
        self._refuse_unless(wanted, "no request waits for a decision")
        # Said by who decides, so that nobody grants a level that was asked for after he looked.
        if self.asked is not level:
            raise IllegalKycMove("level", f"the request that waits is for {self.asked}")

    def _refuse_unless(self, wanted: KycState, message: str) -> None:
        if wanted not in NEXT[self.state]:
            raise IllegalKycMove("state", message)
