"""/v1/accounts/{account}/statement: a period's opening balance, lines and closing balance, in three forms."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from service_kit.cursors import decode_cursor, encode_cursor
from service_kit.field_errors import FieldError
from service_kit.problems import MEDIA_TYPE, Problem, invalid_request

from account_service.api.negotiation import chosen_form
from account_service.api.parts import AccountParts, AccountPath, Reader
from account_service.api.queries import StatementQuery, read_place
from account_service.api.statement_camt import statement_camt
from account_service.api.statement_csv import statement_csv
from account_service.api.statement_schemas import StatementOut
from account_service.domain.statement import Statement
from account_service.operations.read_statement import (
    NoSuchPlace,
    all_lines,
    read_lines,
    read_statement,
    resume_statement,
)

JSON, CSV, XML = "application/json", "text/csv", "application/xml"
# A year of a busy shop. Beyond it a file takes minutes; shorter periods or pages do not.
MAX_FILE_LINES = 100_000

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The statement in the form that `Accept` asks for.",
        "content": {CSV: {"schema": {"type": "string"}}, XML: {"schema": {"type": "string"}}},
    },
    406: {
        "description": "None of the forms on offer is acceptable.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


def statement_routes(parts: AccountParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @router.get(
        "/{account}/statement",
        summary="A statement: JSON, CSV or camt.053",
        response_model=StatementOut,
        responses=_FORMS,
    )
    async def get_statement(
        account: AccountPath, client: Reader, query: Annotated[StatementQuery, Query()], request: Request
    ) -> Any:
        """JSON comes in pages, oldest first, whose lines together are the closing less the opening balance,
        whatever is posted meanwhile. `Accept: text/csv` and `Accept: application/xml` (ISO 20022
        camt.053.001.08) give whole files of up to 100,000 lines."""
        form = chosen_form(request, (JSON, CSV, XML))
        if form == JSON:
            return await _page(parts, client.id, account, query)
        async with parts.database.snapshot() as connection:
            statement = await read_statement(connection, client.id, account, query.period())
        if query.cursor is not None:
            raise invalid_request(
                FieldError("cursor", "is for JSON's pages; a file comes whole", "unknown_field")
            )
        refuse_too_long(statement)
        return _file(parts, statement, form)

    return router


async def _page(parts: AccountParts, client_id: str, account: str, query: StatementQuery) -> StatementOut:
    period = query.period()
    listing = f"statement {account} {period.begin.isoformat()} {period.end.isoformat()}"
    place = None if query.cursor is None else decode_cursor(listing, query.cursor, read=read_place)
    async with parts.database.snapshot() as connection:
        try:
            if place is None:
                statement = await read_statement(connection, client_id, account, period)
                after = statement.opening.entry_number
            else:
                first, last, after = place
                statement = await resume_statement(
                    connection, client_id, account, period, first=first, last=last
                )
            lines = await read_lines(connection, statement, after=after, limit=query.limit)
        except NoSuchPlace:
            raise Problem(
                400, "invalid_cursor", "Invalid cursor", "The cursor is not one of this statement."
            ) from None
    told = lines[-1].entry_number if lines else after
    first, last = statement.opening.entry_number, statement.closing.entry_number
    cursor = encode_cursor(listing, f"{first}.{last}.{told}") if told < last else None
    return StatementOut.of(statement, lines, next_cursor=cursor, ended=period.end <= parts.clock.now())


def refuse_too_long(statement: Statement) -> None:
    """Raises a 422 problem with the figures when the statement is longer than a file may be."""
    if statement.entry_count > MAX_FILE_LINES:
        raise Problem(
            422,
            "statement_too_long",
            "Statement too long",
            f"A file has at most {MAX_FILE_LINES} lines. Ask for a shorter period, or for JSON in pages.",
            fields=[FieldError("to", "leaves too many lines in the period", "statement_too_long")],
            extra={"figures": {"lines": statement.entry_count, "limit": MAX_FILE_LINES}},
        )


def _file(parts: AccountParts, statement: Statement, form: str) -> Response:
    pages = all_lines(parts.database.snapshot, statement)
    if form == CSV:
        pieces: AsyncIterator[str] = statement_csv(statement, pages)
    else:
        pieces = statement_camt(statement, pages, message_id=parts.new_id().hex, created_at=parts.clock.now())
    day = f"{statement.period.begin:%Y%m%d}-{statement.period.end:%Y%m%d}"
    name = (
        f"statement-{statement.account.reference.replace(':', '_')}-{day}.{'csv' if form == CSV else 'xml'}"
    )
    headers = {"content-disposition": f'attachment; filename="{name}"', "vary": "accept"}
    return StreamingResponse(pieces, media_type=f"{form}; charset=utf-8", headers=headers)
