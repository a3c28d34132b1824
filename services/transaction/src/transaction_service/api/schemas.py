"""What clients send: strict, nothing more than is known here, nothing coerced."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from contracts.currencies import CURRENCIES, UnknownCurrency
from contracts.money import MAX_AMOUNT_MINOR
from pydantic import AfterValidator, Field, GetJsonSchemaHandler, StringConstraints, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from service_kit.parameters import BodyInstant

from transaction_service.api.parties import Handles, Party, PartyIn, Request
from transaction_service.domain.payment import MANUAL, InvalidPayment, PaymentOrder
from transaction_service.domain.terms import DEFAULT_HOLD_S, MAX_HOLD_S, Conditions, HoldTerms, Terms
from transaction_service.operations.name_parties import AskedPayment

MAX_BATCH = 1000


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise UnknownCurrency(currency[:3])
    return currency


# One line of text for people: no control characters.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]+$"
Reference = Annotated[str, StringConstraints(min_length=1, max_length=140, pattern=_LINE)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=280, pattern=_LINE)]
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
AmountMinor = Annotated[
    int,
    Field(ge=1, le=MAX_AMOUNT_MINOR, description="In minor units: 1250 is 12.50 USD, 1250 JPY, 1.250 KWD."),
]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217 code."}),
]
ItemKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class HoldIn(Request):
    """On what terms money is held until it is captured."""

    expires_in_s: Annotated[int, Field(ge=1, le=MAX_HOLD_S)] | None = Field(
        default=None,
        description=f"From acceptance on; {DEFAULT_HOLD_S} (7 days) if nothing else is asked for.",
    )
    expires_at: BodyInstant | None = None
    captured_many_times: bool = False
    tolerance_minor: Annotated[
        int,
        Field(ge=0, le=MAX_AMOUNT_MINOR, description="How far all captures together may pass the amount."),
    ] = 0

    def terms(self) -> HoldTerms:
        """Read the terms; raises InvalidPayment for two ends."""
        if self.expires_at is not None and self.expires_in_s is not None:
            raise InvalidPayment("only_one_of", "hold", "takes expires_in_s or expires_at, not both")
        asked = None if self.expires_at is not None else self.expires_in_s or DEFAULT_HOLD_S
        return HoldTerms(asked, self.expires_at, self.captured_many_times, self.tolerance_minor)


class PaymentIn(Request):
    """A payment to make. A party is the client's own account reference, or names a registered customer."""

    debtor: Party
    creditor: Party
    amount_minor: AmountMinor
    currency: Currency
    reference: Reference | None = None
    description: Description | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)] = Field(default_factory=dict)
    capture: Literal["immediate", "manual"] = "immediate"
    hold: HoldIn | None = None
    if_version: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        default=None, description="Only if the debtor's account has this version when the money moves."
    )
    if_available_at_least_minor: Annotated[int, Field(ge=-MAX_AMOUNT_MINOR, le=MAX_AMOUNT_MINOR)] | None = (
        Field(
            default=None, description="Only if the debtor has at least this much available before it moves."
        )
    )

    @property
    def needs_looking_up(self) -> bool:
        """Whether the order cannot be written from what was sent alone."""
        named = isinstance(self.debtor, PartyIn) or isinstance(self.creditor, PartyIn)
        return named or (self.hold is not None and self.hold.expires_at is not None)

    def asked(self, handles: Handles, *, client_id: str, idempotency_key: str) -> AskedPayment:
        """Read what has to be looked up before there is an order; raises InvalidPayment for a name that
        can be nobody's."""
        parties = {"debtor": self.debtor, "creditor": self.creditor}
        names = {
            field: handles.name(party, client_id=client_id, field=field)
            for field, party in parties.items()
            if isinstance(party, PartyIn)
        }
        write = partial(self._order_of, client_id, idempotency_key)
        return AskedPayment(client_id, idempotency_key, self.currency, names, write)

    def _order_of(
        self, client_id: str, key: str, accounts: Mapping[str, str], digests: Mapping[str, str]
    ) -> PaymentOrder:
        return self.order(client_id=client_id, idempotency_key=key, accounts=accounts, digests=digests)

    def order(
        self,
        *,
        client_id: str,
        idempotency_key: str,
        accounts: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> PaymentOrder:
        """Read the order, with the `accounts` of parties named otherwise; raises the domain's refusals."""
        debtor = self.debtor if isinstance(self.debtor, str) else (accounts or {})["debtor"]
        creditor = self.creditor if isinstance(self.creditor, str) else (accounts or {})["creditor"]
        return PaymentOrder(
            client_id=client_id,
            idempotency_key=idempotency_key,
            debtor=debtor,
            creditor=creditor,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            description=self.description,
            metadata=self.metadata,
            capture=self.capture,
            terms=self._terms(digests or {}),
        )

    def _terms(self, digests: Mapping[str, str]) -> Terms | None:
        conditions = None
        if self.if_version is not None or self.if_available_at_least_minor is not None:
            conditions = Conditions(self.if_version, self.if_available_at_least_minor)
        hold = None
        if self.hold is not None or self.capture == MANUAL:
            hold = (self.hold or HoldIn()).terms()
        if hold is None and conditions is None and not digests:
            return None
        return Terms(hold=hold, conditions=conditions, named=digests)


class BatchItemIn(PaymentIn):
    """One payment of a batch. Its own key, if given, guards it in whatever batch it comes again."""

    reference: Reference
    idempotency_key: ItemKey | None = None


class _ShownAsItem:
    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(BatchItemIn.__pydantic_core_schema__)


# Items are read one by one, so that a bad one is refused alone; the document shows what each should be.
RawItem = Annotated[Any, _ShownAsItem()]


class BatchIn(Request):
    """Up to 1,000 payments, each with an outcome of its own."""

    payments: Annotated[list[RawItem], Field(min_length=1, max_length=MAX_BATCH)]


class ReversalIn(Request):
    """What to give back; without an amount, all that is left."""

    amount_minor: AmountMinor | None = None
    reference: Reference | None = None
    description: Description | None = None


class CaptureIn(Request):
    """What to capture; without an amount, all that is left."""

    amount_minor: AmountMinor | None = None
    final: bool | None = Field(
        default=None,
        description="Whether what is left is released. Left out: yes, unless an amount is given and the hold "
        "may be captured many times.",
    )
    reference: Reference | None = None
    description: Description | None = None


class VoidIn(Request):
    """Why what is still held is given up."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
