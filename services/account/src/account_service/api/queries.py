"""What may stand in a list's query: a filter that is not known is refused, never ignored."""

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from service_kit.cursors import DEFAULT_LIMIT, MAX_LIMIT, Listing

from account_service.api.schemas import Currency
from account_service.domain.account import AccountKind, AccountState
from account_service.domain.hold import HoldState
from account_service.domain.naming import is_reference
from account_service.domain.statement import Period
from account_service.persistence.entries import MAX_ENTRY_NUMBER

_MAX_CURSOR = 500
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,20}([Zz]|[+-][0-9]{2}:[0-9]{2})\Z")
# Times that Postgres and every client's calendar can hold, whatever their offset.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _written_as_a_time(text: object) -> object:
    # Left to itself the parser takes a number for seconds since 1970, and a bare date for its midnight.
    if isinstance(text, str) and _RFC_3339.match(text) is None:
        raise ValueError("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
    return text


def _in_calendar(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("must lie between the years 1900 and 9999")
    return moment


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_as_a_time),
    AfterValidator(_in_calendar),
    Field(description="RFC 3339 with an offset from UTC."),
]


class Page(BaseModel):
    """Where a page begins and how long it may be."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    cursor: Annotated[
        str | None,
        Field(max_length=_MAX_CURSOR, description="`next_cursor` of the page before, as it was given."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many items a page holds at most.")] = (
        DEFAULT_LIMIT
    )


class AccountsQuery(Page):
    """Which accounts are wanted. System accounts are listed only when `kind` asks for them."""

    state: AccountState | None = None
    currency: Currency | None = None
    kind: AccountKind = AccountKind.CUSTOMER


class SettlementAccountsQuery(Page):
    """Which settlement accounts are wanted."""

    currency: Currency | None = None


class BalanceQuery(BaseModel):
    """Of when the balance is wanted; left out, of now."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    at: Moment | None = None


class StatementQuery(Page):
    """The period: `from` inclusive, `to` exclusive. Cursor and limit are for JSON; files come whole."""

    begin: Annotated[Moment, Field(alias="from")]
    end: Annotated[Moment, Field(alias="to")]

    @model_validator(mode="after")
    def _must_be_a_range(self) -> Self:
        if self.begin > self.end:
            raise ValueError("`from` must not be later than `to`")
        return self

    def period(self) -> Period:
        """The period that is asked for."""
        return Period(self.begin, self.end)


class EntriesQuery(Page):
    """Which entries are wanted: `from` inclusive, `to` exclusive; newest first unless `order` is `asc`."""

    posted_from: Annotated[Moment | None, Field(alias="from")] = None
    posted_to: Annotated[Moment | None, Field(alias="to")] = None
    order: Literal["desc", "asc"] = "desc"

    @model_validator(mode="after")
    def _must_be_a_range(self) -> Self:
        if self.posted_from is not None and self.posted_to is not None and self.posted_from > self.posted_to:
            raise ValueError("`from` must not be later than `to`")
        return self


def newest_first(listing: str, query: Page) -> Listing[int]:
    """The page asked for of a list that goes by falling numbers."""
    return Listing(listing, query.cursor, query.limit, start=MAX_ENTRY_NUMBER, read=read_position)


def read_reference(text: str) -> str:
    """A cursor's account reference."""
    if not is_reference(text):
        raise ValueError("no reference")
    return text


def read_place(text: str) -> tuple[int, int, int]:
    """A statement's cursor: the numbers of the entry before its first, of its last, and of the last told."""
    first, last, told = (read_position(part) for part in text.split("."))
    return first, last, told


class HoldsQuery(Page):
    """Which holds are wanted."""

    state: HoldState | None = None


def read_position(text: str) -> int:
    """A cursor's number; ValueError for anything else, however well its checksum fits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ENTRY_NUMBER):
        raise ValueError("no position")
    return int(text)
