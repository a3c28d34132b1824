"""Parties as clients name them: by account, by customer, by mobile number or by e-mail address.

What a person is called comes no further than here: it is hashed with a key, and the hash is looked up.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from contracts.handles import (
    MAX_EMAIL_TEXT,
    MAX_MOBILE_TEXT,
    InvalidHandle,
    canonical_email,
    canonical_mobile,
    handle,
)
from pydantic import BaseModel, ConfigDict, StringConstraints, WithJsonSchema, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from transaction_service.domain.party import PartyName
from transaction_service.domain.payment import InvalidPayment

ACCOUNT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
AccountReference = Annotated[str, StringConstraints(pattern=ACCOUNT_PATTERN)]
CustomerId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
_NAMES = ("account", "customer_id", "mobile", "email")


class Request(BaseModel):
    """A body as it must be sent: nothing missing, nothing more, nothing coerced."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class PartyIn(Request):
    """A party by exactly one of its names. By mobile number or e-mail address registered customers only."""

    account: AccountReference | None = None
    customer_id: CustomerId | None = None
    mobile: Annotated[str, StringConstraints(min_length=1, max_length=MAX_MOBILE_TEXT)] | None = None
    email: Annotated[str, StringConstraints(min_length=1, max_length=MAX_EMAIL_TEXT)] | None = None

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if sum(getattr(self, name) is not None for name in _NAMES) != 1:
            raise PydanticCustomError(
                "only_one_of", "must have exactly one of account, customer_id, mobile, email"
            )
        return self


def _read(value: Any, as_account: Any) -> str | PartyIn:
    if not isinstance(value, dict):
        account: str = as_account(value)
        return account
    party = PartyIn.model_validate(value)
    return party.account if party.account is not None else party


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": ACCOUNT_PATTERN, "description": "An account reference."},
        PartyIn.model_json_schema(),
    ]
}
if TYPE_CHECKING:
    Party = str | PartyIn
else:
    # Not a union to pydantic: its faults would name places that no client has sent.
    Party = Annotated[AccountReference, WrapValidator(_read), WithJsonSchema(_SCHEMA)]


@dataclass(frozen=True, slots=True, repr=False)
class Handles:
    """How this installation reads and hashes what people are called."""

    key: bytes
    region: str | None = None

    def name(self, party: PartyIn, *, client_id: str, field: str) -> PartyName:
        """Return the name by which the party is looked up; raises InvalidPayment for what names nobody."""
        if party.customer_id is not None:
            return PartyName("customer_id", party.customer_id)
        try:
            if party.mobile is not None:
                canonical = canonical_mobile(party.mobile, region=self.region)
                return PartyName("handle", handle("mobile", client_id, canonical, self.key))
            assert party.email is not None, "one of the names is given"
            return PartyName("handle", handle("email", client_id, canonical_email(party.email), self.key))
        except InvalidHandle as error:
            kind = "mobile" if party.mobile is not None else "email"
            raise InvalidPayment(error.code, f"{field}.{kind}", str(error)) from None
