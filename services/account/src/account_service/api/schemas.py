"""What goes over the wire: strict in what is taken, explicit in what is given."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from contracts.currencies import CURRENCIES, UnknownCurrency
from contracts.money import MAX_AMOUNT_MINOR
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from service_kit.vault import Vault

from account_service.domain.account import Account, AccountKind, AccountRecord, AccountState, StateChange
from account_service.domain.naming import REFERENCE_PATTERN, is_reserved
from account_service.domain.opening import OpeningTerms
from account_service.domain.posting import PostingKind
from account_service.domain.statement import PastBalance
from account_service.persistence.entries import EntryView

MAX_BATCH = 1000


class ReservedReference(ValueError):
    """Not a client's to use."""

    code = "reserved_reference"


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise UnknownCurrency(currency[:3])
    return currency


def _not_reserved(reference: str) -> str:
    if is_reserved(reference):
        raise ReservedReference("must not begin with 'system:', which names the books' own accounts")
    return reference


# One line of text for people: no control characters, no line separators, and nothing that turns the
# direction of writing, by which one name can be made to look like another.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_LINE = rf"^[^\s{_UNFIT}][^{_UNFIT}]*$"
_FIT_REFERENCE = {
    "type": "string",
    "pattern": r"^(?![Ss][Yy][Ss][Tt][Ee][Mm]:)[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
    "description": "The client's own name for the account; unique to the client.",
}
Reference = Annotated[str, StringConstraints(pattern=REFERENCE_PATTERN)]
NewReference = Annotated[Reference, AfterValidator(_not_reserved), WithJsonSchema(_FIT_REFERENCE)]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217 code."}),
]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_LINE)]
Line140 = Annotated[str, StringConstraints(min_length=1, max_length=140, pattern=_LINE)]
Holder = Line140
Line280 = Annotated[str, StringConstraints(min_length=1, max_length=280, pattern=_LINE)]
_IN_MINOR = "In minor units: 1250 is 12.50 USD, 1250 JPY, 1.250 KWD."
AmountMinor = Annotated[int, Field(ge=1, le=MAX_AMOUNT_MINOR, description=_IN_MINOR)]
AmountOrNothingMinor = Annotated[int, Field(ge=0, le=MAX_AMOUNT_MINOR, description=_IN_MINOR)]


class Request(BaseModel):
    """A body as it must be sent: nothing missing, nothing more, nothing coerced."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class AccountIn(Request):
    """An account to open."""

    account: NewReference
    holder: Holder
    currency: Currency
    overdraft_minor: AmountOrNothingMinor = 0
    opening_balance_minor: AmountOrNothingMinor = 0

    def terms(self) -> OpeningTerms:
        """What is asked for."""
        return OpeningTerms(
            account=self.account,
            holder=self.holder,
            currency=self.currency,
            overdraft_minor=self.overdraft_minor,
            opening_balance_minor=self.opening_balance_minor,
        )


# Items are read one by one, so that a bad one is refused alone; the document shows what each should be.
RawItem = Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/AccountIn"})]


class BatchIn(Request):
    """Up to 1,000 accounts, each with an outcome of its own."""

    accounts: Annotated[list[RawItem], Field(min_length=1, max_length=MAX_BATCH)]


class StateIn(Request):
    """The state to bring the account into, and why."""

    state: Literal["ACTIVE", "FROZEN", "DEBIT_FROZEN", "CREDIT_FROZEN", "CLOSING", "CLOSED"]
    reason: Reason


class BalanceOut(BaseModel):
    """`available_minor` is posted less held plus overdraft; null, for system accounts, is without limit."""

    account: str
    currency: str
    posted_minor: int
    held_minor: int
    overdraft_minor: int | None
    available_minor: int | None
    version: Annotated[int, Field(description="How many entries the account has.")]

    @classmethod
    def of_account(cls, account: Account) -> Self:
        """Tell a balance."""
        return cls(**_balance(account))


class PastBalanceOut(BaseModel):
    """What was posted on the account up to and with `at`, by how many entries, and what was held then. How
    far the overdraft went is not told, nor what was therefore available."""

    account: str
    currency: str
    at: datetime
    posted_minor: int
    held_minor: int
    version: Annotated[int, Field(description="How many entries the account had.")]

    @classmethod
    def of(cls, past: PastBalance) -> Self:
        """Tell a balance of the past."""
        return cls(
            account=past.account.reference,
            currency=past.account.currency,
            at=past.at,
            posted_minor=past.position.balance_minor,
            held_minor=past.held_minor,
            version=past.position.entry_number,
        )


class AccountOut(BalanceOut):
    """An account as it stands."""

    holder: str
    kind: AccountKind
    state: AccountState
    opened_at: datetime

    @classmethod
    def of(cls, record: AccountRecord, vault: Vault) -> Self:
        """Tell an account, its holder's name opened."""
        account = record.account
        return cls(
            **_balance(account),
            holder=vault.reveal(record.holder),
            kind=account.kind,
            state=account.state,
            opened_at=record.opened_at,
        )

    @classmethod
    def as_opened(cls, terms: OpeningTerms, opened_at: datetime) -> Self:
        """Tell an account as it was when it opened: the answer to opening it, also when it is asked again."""
        balance_minor = terms.opening_balance_minor
        assert terms.holder is not None, "customers' accounts are told as they stand"
        return cls(
            account=terms.account,
            currency=terms.currency,
            posted_minor=balance_minor,
            held_minor=0,
            overdraft_minor=terms.overdraft_minor,
            available_minor=balance_minor + terms.overdraft_minor,
            version=1 if balance_minor else 0,
            holder=terms.holder,
            kind=AccountKind.CUSTOMER,
            state=AccountState.ACTIVE,
            opened_at=opened_at,
        )


class AccountPage(BaseModel):
    """Accounts, in the order in which they were opened."""

    items: list[AccountOut]
    next_cursor: str | None


class EntryOut(BaseModel):
    """One movement: negative left the account, positive arrived. `counterparty` is the other account."""

    entry_number: int
    posting_id: UUID
    payment_id: UUID | None
    kind: PostingKind
    amount_minor: int
    currency: str
    balance_after_minor: int
    counterparty: str | None
    reference: str | None
    description: str | None
    reverses: UUID | None
    captures: UUID | None
    posted_at: datetime

    @classmethod
    def of(cls, entry: EntryView) -> Self:
        """Tell an entry."""
        return cls.model_validate(entry, from_attributes=True)


class EntryPage(BaseModel):
    """Entries by number, in the order that was asked for."""

    items: list[EntryOut]
    next_cursor: str | None


class StateChangeOut(BaseModel):
    """One move; `previous` is null for the opening."""

    previous: AccountState | None
    state: AccountState
    reason: str
    author: str
    changed_at: datetime
    proposal_id: UUID | None

    @classmethod
    def of(cls, change: StateChange) -> Self:
        """Tell a move."""
        return cls.model_validate(change, from_attributes=True)


class StateChangePage(BaseModel):
    """Moves, newest first."""

    items: list[StateChangeOut]
    next_cursor: str | None


class ItemProblem(BaseModel):
    """Why an item was refused."""

    code: str
    field: str
    message: str


class BatchItemOut(BaseModel):
    """What became of one item, at the same place as it was sent."""

    outcome: Literal["opened", "replayed", "refused"]
    account: str | None
    problem: ItemProblem | None = None


class BatchOut(BaseModel):
    """What became of a batch; the counts add up to the number of items."""

    opened: int
    replayed: int
    refused: int
    items: list[BatchItemOut]


def _balance(account: Account) -> dict[str, Any]:
    return {
        "account": account.reference,
        "currency": account.currency,
        "posted_minor": account.posted_minor,
        "held_minor": account.held_minor,
        "overdraft_minor": account.overdraft_minor,
        "available_minor": account.available_minor,
        "version": account.version,
    }
