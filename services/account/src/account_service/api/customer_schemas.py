"""Customers over the wire: strict in what is taken, and what is personal shown to the client alone."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from contracts.handles import (
    MAX_EMAIL_TEXT,
    MAX_MOBILE_TEXT,
    InvalidHandle,
    canonical_email,
    canonical_mobile,
    is_region,
)
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from service_kit.field_errors import FieldError
from service_kit.problems import invalid_request

from account_service.api.queries import EntriesQuery, Page
from account_service.api.schemas import AccountOut, Currency, EntryOut, Holder, Reason, Request
from account_service.domain.customer import Customer, KycEvent
from account_service.domain.kyc import Kyc, KycLevel, KycState
from account_service.persistence.customer_accounts import HistoryEntry


def _country(region: str) -> str:
    if not is_region(region):
        raise ValueError("must be a country's two capital letters (ISO 3166)")
    return region


Mobile = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_MOBILE_TEXT),
    Field(description="A mobile number in any spelling, national ones of `region` or the service's country."),
]
Email = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EMAIL_TEXT)]
Region = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}$"),
    AfterValidator(_country),
    Field(description="The country (ISO 3166) whose national spelling the mobile number has."),
]
AskedLevel = Literal["basic", "full"]


class CustomerIn(Request):
    """A person to register; their first account opens in `currency`."""

    name: Holder
    mobile: Mobile
    email: Email
    currency: Currency
    region: Region | None = None


class CustomerChanges(Request):
    """What is to be different; what is left out stays."""

    name: Holder | None = None
    mobile: Mobile | None = None
    email: Email | None = None
    region: Region | None = None

    @model_validator(mode="after")
    def _must_change_something(self) -> Self:
        if self.name is None and self.mobile is None and self.email is None:
            raise ValueError("name, mobile or email must be given")
        return self


class WalletIn(Request):
    """The currency of another account."""

    currency: Currency


class KycSubmission(Request):
    """The level that is asked for."""

    level: AskedLevel
    reason: Reason | None = None


class KycDecision(Request):
    """What was decided of the request for this level; a rejection says why."""

    decision: Literal["approve", "reject"]
    level: AskedLevel
    reason: Reason | None = None

    @model_validator(mode="after")
    def _must_say_why(self) -> Self:
        if self.decision == "reject" and self.reason is None:
            raise ValueError("a rejection needs a reason")
        return self


class CustomersQuery(Page):
    """All customers, or the one with this mobile number or e-mail address."""

    mobile: Mobile | None = None
    email: Email | None = None
    region: Region | None = None

    @model_validator(mode="after")
    def _must_be_one(self) -> Self:
        if self.mobile is not None and self.email is not None:
            raise ValueError("look up by mobile or by email, not by both")
        return self


class HistoryQuery(EntriesQuery):
    """Which entries of all accounts are wanted."""


class KycOut(BaseModel):
    """`level` is what is granted; `asked` and `state` tell of the latest request."""

    level: KycLevel
    state: KycState
    asked: KycLevel | None

    @classmethod
    def of(cls, kyc: Kyc) -> Self:
        """Tell a standing."""
        return cls(level=kyc.level, state=kyc.state, asked=kyc.asked)


class CustomerOut(BaseModel):
    """A customer; `mobile` is E.164, `accounts` the reference of the account in each currency."""

    id: UUID
    name: str
    mobile: str
    email: str
    kyc: KycOut
    accounts: dict[str, str]
    registered_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, customer: Customer, accounts: dict[str, str]) -> Self:
        """Tell a customer."""
        person = customer.person
        return cls(
            id=customer.id,
            name=person.name,
            mobile=person.mobile,
            email=person.email,
            kyc=KycOut.of(customer.kyc),
            accounts=accounts,
            registered_at=customer.registered_at,
            updated_at=customer.updated_at,
        )


class CustomerPage(BaseModel):
    """Customers, in the order in which they were registered."""

    items: list[CustomerOut]
    next_cursor: str | None


class CustomerAccounts(BaseModel):
    """All accounts of a customer, one a currency, in the order in which they were opened."""

    items: list[AccountOut]


class KycEventOut(BaseModel):
    """One move of the workflow."""

    state: KycState
    level: KycLevel
    reason: str | None
    author: str
    at: datetime

    @classmethod
    def of(cls, event: KycEvent) -> Self:
        """Tell a move."""
        return cls.model_validate(event, from_attributes=True)


class KycEventPage(BaseModel):
    """Moves, newest first."""

    items: list[KycEventOut]
    next_cursor: str | None


class CustomerEntryOut(EntryOut):
    """One movement on one of the customer's accounts."""

    account: str

    @classmethod
    def of_history(cls, entry: HistoryEntry) -> Self:
        """Tell an entry."""
        told = EntryOut.of(entry.entry)
        return cls(account=entry.account, **{name: getattr(told, name) for name in EntryOut.model_fields})


class CustomerEntryPage(BaseModel):
    """Entries of all the customer's accounts by time, in the order that was asked for."""

    items: list[CustomerEntryOut]
    next_cursor: str | None


def canonical_contact(
    *, mobile: str | None, email: str | None, region: str | None
) -> tuple[str | None, str | None]:
    """Both in their canonical forms, None staying None; else the problem that names what is none."""
    faults = []
    try:
        mobile = None if mobile is None else canonical_mobile(mobile, region=region)
    except InvalidHandle as error:
        faults.append(FieldError("mobile", str(error), error.code))
    try:
        email = None if email is None else canonical_email(email)
    except InvalidHandle as error:
        faults.append(FieldError("email", str(error), error.code))
    if faults:
        raise invalid_request(*faults)
    return mobile, email
