"""The terms on which an account is opened, and what differs when the same reference is asked for twice."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningTerms:
    """What the client asks for. Amounts are minor units of `currency`, zero or more."""

    account: str
    holder: str
    currency: str
    overdraft_minor: int
    opening_balance_minor: int

    def differing(self, other: "OpeningTerms") -> tuple[str, ...]:
        """The names of the fields in which the two differ, in the order in which the terms are written."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


class AccountExists(Exception):
    """The client has an account of this reference on other terms; `differing` names the fields."""

    def __init__(self, reference: str, differing: tuple[str, ...]) -> None:
        super().__init__(f"an account of this reference exists with another {', '.join(differing)}")
        self.reference = reference
        self.differing = differing


class ReservedReference(Exception):
    """The reference is under the prefix that the books keep for their own accounts."""

    def __init__(self, reference: str) -> None:
        super().__init__("references beginning with 'system:' are reserved")
        self.reference = reference
