"""What an API's requests leave in the audit log."""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from service_kit.protection import is_audited

from testkit.databases import connect

Send = Callable[[dict[str, str]], Awaitable[httpx2.Response]]


def audited_routes(api: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of each route that is told whose doing its request is."""
    for route in iter_route_contexts(api.routes):
        if is_audited(route):
            yield from ((method, str(route.path)) for method in route.methods or ())


@dataclass(frozen=True)
class AuditLog:
    """The log of one service, looked at from outside."""

    url: str
    schema: str

    async def of(self, send: Send) -> tuple[httpx2.Response, list[dict[str, Any]]]:
        """The answer to a request, sent with the headers that are given to it, and the entries it left."""
        request_id = str(uuid4())
        answer = await send({"x-request-id": request_id})
        return answer, await self.entries("request_id = $1", request_id)

    async def entries(self, condition: str, *values: Any) -> list[dict[str, Any]]:
        """The entries of which the condition is true, in order."""
        connection = await connect(self.url)
        try:
            rows = await connection.fetch(
                f"SELECT * FROM {self.schema}.audit_entries WHERE {condition} ORDER BY id",
                *values,
            )
        finally:
            await connection.close()
        return [_told(dict(row)) for row in rows]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("before", "after"):
        row[name] = None if row[name] is None else json.loads(row[name])
    return row
