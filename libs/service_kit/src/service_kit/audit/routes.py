"""`GET /v1/audit`: the log for auditors. Whoever reads it is written down in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol, Self

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from service_kit.audit.reading import Told, Wanted, list_entries
from service_kit.audit.record import Audited, Entry, record
from service_kit.auth import Client, requires
from service_kit.clock import Clock
from service_kit.cursors import DEFAULT_LIMIT, MAX_LIMIT, Listing
from service_kit.database import Database
from service_kit.parameters import Instant

Auditor = Annotated[Client, Depends(requires("audit:read"))]

_LISTING = "audit"
_MAX_CURSOR = 500
_MAX_ID = 2**63 - 1


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


Sought = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_printable)]


class AuditQuery(BaseModel):
    """Which entries are wanted: `from` inclusive, `to` exclusive."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    actor: Annotated[
        Sought | None, Field(description="`client:<id>`, `person:<uuid>` or `service:<name>`.")
    ] = None
    action: Annotated[Sought | None, Field(description="Such as `account.state-changed`.")] = None
    subject: Annotated[Sought | None, Field(description="The id of what it was done to.")] = None
    since: Annotated[Instant | None, Field(alias="from")] = None
    until: Annotated[Instant | None, Field(alias="to")] = None
    cursor: Annotated[
        str | None,
        Field(max_length=_MAX_CURSOR, description="`next_cursor` of the page before, as it was given."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many items a page holds at most.")] = (
        DEFAULT_LIMIT
    )

    @model_validator(mode="after")
    def _must_be_a_range(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("`from` must not be later than `to`")
        return self

    def wanted(self) -> Wanted:
        """The filters."""
        return Wanted(
            actor=self.actor, action=self.action, subject=self.subject, since=self.since, until=self.until
        )

    def asked(self) -> dict[str, Any]:
        """What was asked for, as it is written down."""
        return self.model_dump(by_alias=True, exclude_none=True)


class AuditEntryOut(BaseModel):
    """One thing that was done. `position` and `hash` are null until it is sealed, about a second later."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    id: int
    at: datetime
    client_id: Annotated[str, Field(description="Whose thing it was done to.")]
    by_client_id: Annotated[str | None, Field(description="Whom the caller belongs to; null for a service.")]
    actor: str
    credential: str
    action: str
    subject_type: str
    subject: str
    before: Annotated[dict[str, Any] | None, Field(description="Personal and secret fields are masked.")]
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
    trace_id: str | None
    address: str | None
    position: Annotated[int | None, Field(description="Its place in the service's chain, from 1.")]
    hash: Annotated[str | None, Field(description="SHA-256 in hex, which binds all entries before it.")]

    @classmethod
    def of(cls, told: Told) -> Self:
        """The entry as the API tells it."""
        return cls(
            **{**told.form, "at": told.at},
            position=told.position,
            hash=None if told.hash is None else told.hash.hex(),
        )


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditEntryOut]
    next_cursor: str | None


class Parts(Protocol):
    """What the route works with."""

    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True, slots=True)
class AuditParts:
    """For a service whose own routes' parts are not such."""

    database: Database
    clock: Clock


def audit_routes(parts: Parts) -> APIRouter:
    """The route of every service."""
    router = APIRouter(prefix="/v1", tags=["audit"])

    @router.get("/audit", summary="The audit log, newest first")
    async def read_audit(
        auditor: Auditor, origin: Audited, query: Annotated[AuditQuery, Query()]
    ) -> AuditPage:
        """What was done to the client's things, whoever did it, and what its own people did elsewhere. Each
        reading is an entry of its own (`audit.read`)."""
        listing = Listing(_LISTING, query.cursor, query.limit, start=None, read=_place)
        async with parts.database.transaction() as connection:
            found = await list_entries(
                connection, auditor.id, query.wanted(), before=listing.position, limit=listing.rows
            )
            page, next_cursor = listing.page(found, _position)
            entry = Entry(
                action="audit.read",
                subject_type="audit",
                subject=auditor.id,
                after={**query.asked(), "count": len(page)},
            )
            await record(connection, origin, entry, at=parts.clock.now())
        return AuditPage(items=[AuditEntryOut.of(told) for told in page], next_cursor=next_cursor)

    return router


def _position(told: Told) -> str:
    return f"{told.at.isoformat()} {told.form['id']}"


def _place(text: str) -> tuple[datetime, int] | None:
    """A cursor's time and id; ValueError for anything else, however well its checksum fits."""
    at, _, number = text.partition(" ")
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None or not 1900 <= moment.year < 9999:
        raise ValueError("no time in this list")
    if not (number.isascii() and number.isdigit() and len(number) <= 19) or int(number) > _MAX_ID:
        raise ValueError("no number in this list")
    return moment, int(number)
