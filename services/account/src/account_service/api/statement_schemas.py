"""A statement's page, as it goes over the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from account_service.api.schemas import EntryOut
from account_service.domain.statement import Statement
from account_service.persistence.entries import EntryView


class StatementOut(BaseModel):
    """A period of an account. The lines of all its pages, of which there are `lines`, sum to the closing less
    the opening balance; `ended` is false while the period still runs, so that more may come."""

    model_config: ClassVar[ConfigDict] = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    account: str
    currency: str
    begin: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to")]
    ended: bool
    opening_balance_minor: int
    closing_balance_minor: int
    lines: int
    items: list[EntryOut]
    next_cursor: str | None

    @classmethod
    def of(
        cls, statement: Statement, lines: Sequence[EntryView], *, next_cursor: str | None, ended: bool
    ) -> Self:
        """Tell a page of a statement."""
        return cls(
            account=statement.account.reference,
            currency=statement.account.currency,
            begin=statement.period.begin,
            end=statement.period.end,
            ended=ended,
            opening_balance_minor=statement.opening.balance_minor,
            closing_balance_minor=statement.closing.balance_minor,
            lines=statement.entry_count,
            items=[EntryOut.of(line) for line in lines],
            next_cursor=next_cursor,
        )
