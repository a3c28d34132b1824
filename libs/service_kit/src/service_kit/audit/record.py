"""Writing down what was done, in the transaction that does it: either both stand or neither."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Self

import orjson
from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.audit.masking import masked
from service_kit.auth import PRINCIPAL, Client
from service_kit.boundary import ADDRESS, REQUEST_ID
from service_kit.telemetry import current_trace_id

_ACTION = re.compile(r"[a-z][a-z-]*(\.[a-z][a-z-]*)+")

_RECORD = text(
    """
    WITH written AS (
        INSERT INTO audit_entries (at, client_id, by_client_id, actor, credential, action, subject_type,
            subject, before, after, reason, request_id, trace_id, address)
        SELECT CAST(:at AS timestamptz), n.client_id, CAST(:by_client_id AS text), CAST(:actor AS text),
            CAST(:credential AS text), n.action, n.subject_type, n.subject, CAST(n.before AS jsonb),
            CAST(n.after AS jsonb), n.reason, CAST(:request_id AS text), CAST(:trace_id AS text),
            CAST(:address AS text)
        FROM unnest(CAST(:client_ids AS text[]), CAST(:actions AS text[]), CAST(:subject_types AS text[]),
            CAST(:subjects AS text[]), CAST(:befores AS text[]), CAST(:afters AS text[]),
            CAST(:reasons AS text[])) WITH ORDINALITY
            AS n (client_id, action, subject_type, subject, before, after, reason, number)
        ORDER BY n.number
        RETURNING id)
    INSERT INTO audit_unsealed (entry_id) SELECT id FROM written
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose doing something is, and by what request.

    `client_id` is the client that the caller belongs to; None for what a service does by itself. `actor` is
    `client:<id>`, `person:<uuid>` or `service:<name>`, `credential` what was shown (`key:abcd2345`,
    `token:<jti>`, `session:<uuid>`), `address` where the request came from.
    """

    client_id: str | None
    actor: str
    credential: str = ""
    request_id: str | None = None
    trace_id: str | None = None
    address: str | None = None

    @classmethod
    def of_service(cls, service: str) -> Self:
        """What the service does because time has passed or a message came."""
        return cls(client_id=None, actor=f"service:{service}", trace_id=current_trace_id())

    def known_as(self, caller: Client) -> Self:
        """The same request, once it is known who asks."""
        return replace(self, client_id=caller.id, actor=caller.actor, credential=caller.credential)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done: `action` is dotted and in the past tense (`account.state-changed`), `subject`
    the id of what it was done to.

    `before` and `after` hold what changed; fields that are not on the list of what may be told are masked.
    `client_id` is whose thing it is, if that is another client than the caller's.
    """

    action: str
    subject_type: str
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str | None = None
    client_id: str | None = None

    def __post_init__(self) -> None:
        if _ACTION.fullmatch(self.action) is None:
            raise ValueError(f"not an action: {self.action}")


async def origin_of_caller(request: Request) -> Origin:
    """Whose doing it is, as `requires` has found."""
    caller = request.scope.get(PRINCIPAL)
    assert isinstance(caller, Client), "a route declares who calls before whose doing it is"
    return (await origin_of_stranger(request)).known_as(caller)


async def origin_of_stranger(request: Request) -> Origin:
    """Where a request comes from that says in itself who asks: no entry can be written before `known_as`."""
    return Origin(
        client_id=None,
        actor="",
        request_id=request.scope.get(REQUEST_ID),
        trace_id=current_trace_id(),
        address=request.scope.get(ADDRESS) or None,
    )


# A route's parameter, after the caller's; and that of a route which is open to everybody.
Audited = Annotated[Origin, Depends(origin_of_caller)]
AuditedStranger = Annotated[Origin, Depends(origin_of_stranger)]


async def record(connection: AsyncConnection, origin: Origin, *entries: Entry, at: datetime) -> None:
    """Write the entries, in one statement and in their order, in the caller's transaction.

    Raises ValueError for what is nobody's thing, TypeError for what an entry cannot hold.
    """
    if not entries:
        return
    client_ids = [entry.client_id or origin.client_id for entry in entries]
    if None in client_ids:
        raise ValueError("what a service does by itself is done to some client's thing: say whose")
    pairs = [masked(entry.before, entry.after) for entry in entries]
    parameters = {
        "at": at,
        "by_client_id": origin.client_id,
        "actor": origin.actor,
        "credential": origin.credential,
        "request_id": origin.request_id,
        "trace_id": origin.trace_id,
        "address": origin.address,
        "client_ids": client_ids,
        "actions": [entry.action for entry in entries],
        "subject_types": [entry.subject_type for entry in entries],
        "subjects": [entry.subject for entry in entries],
        "befores": [_json(before) for before, _ in pairs],
        "afters": [_json(after) for _, after in pairs],
        "reasons": [entry.reason for entry in entries],
    }
    await connection.execute(_RECORD, parameters)


def _json(fields: Mapping[str, Any] | None) -> str | None:
    return None if fields is None else orjson.dumps(fields).decode()
