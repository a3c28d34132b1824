"""Naming a party of a payment by something other than an account: a customer, or a handle of one.

A handle is a keyed hash of a mobile number or an e-mail address, made at the boundary: what a person is
called never comes further than that.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from transaction_service.domain.hashing import canonical

_LABEL = b"florin-named-party-v1\n"


@dataclass(frozen=True, slots=True)
class PartyName:
    """One name: the customer's id, or the hex of a handle."""

    by: Literal["customer_id", "handle"]
    value: str

    def digest(self, *, client_id: str, idempotency_key: str, party: str) -> str:
        """Return what a payment's record keeps of how its party was named.

        It tells two requests apart under one key, and tells nothing of whom they named: no two payments have
        the same digest of one name.
        """
        form = {
            "client_id": client_id,
            "idempotency_key": idempotency_key,
            "party": party,
            "by": self.by,
            "value": self.value,
        }
        return hashlib.sha256(_LABEL + canonical(form)).hexdigest()


class PartyNotFound(Exception):
    """Nobody of this name has an account of the payment's currency with this client; `field` is the party's.

    Unknown, another client's and without such an account are told alike.
    """

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not a registered party")
        self.field = field
        self.code = "party_not_found"
        self.message = "is not a registered party with an account of this currency"
