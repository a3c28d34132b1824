"""Ways to speak to the identity service as its callers do."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
from fastapi import FastAPI
from identity_service.api.parts import IdentityParts
from identity_service.operations.door import Door
from service_kit.auth import ApiKeys, Client
from sqlalchemy import text
from testkit.clocks import StillClock

PEPPER = "a pepper for tests only"
STAFF = "operator"
ISSUER = "https://identity.example"
SCOPES = {
    "operator": ("clients:admin", "people:admin"),
    "tenant": ("clients:admin", "people:admin"),
    "hr": ("people:admin",),
    "auditor": ("audit:read",),
    "feed": ("trust:read",),
    "stranger": ("payments:read",),
}


class Callers:
    """API keys of the file, as services and staff have them."""

    def __init__(self) -> None:
        alphabet = base64.b32encode(secrets.token_bytes(5 * len(SCOPES))).decode().lower()
        self.keys = {
            name: f"flk_{alphabet[8 * n : 8 * n + 8]}_{secrets.token_urlsafe(32)}"
            for n, name in enumerate(SCOPES)
        }
        self.api_keys = ApiKeys(
            [
                (
                    Client(name, frozenset(scopes), f"key:{self.keys[name][4:12]}"),
                    hmac.digest(PEPPER.encode(), self.keys[name].encode(), hashlib.sha256),
                )
                for name, scopes in SCOPES.items()
            ],
            PEPPER.encode(),
        )


def client_id(prefix: str = "shop") -> str:
    """A client id that no other test uses."""
    return f"{prefix}-{uuid4().hex[:10]}"


@dataclass
class Office:
    """The service under test."""

    parts: IdentityParts
    api: FastAPI
    callers: Callers
    clock: StillClock
    door: Door
    http: httpx2.AsyncClient = field(init=False)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Office"]:
        """Open to requests until the end of the block."""
        # An address of its own, since attempts to sign in are counted by it.
        peer = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        transport = httpx2.ASGITransport(app=self.api, raise_app_exceptions=False, client=(peer, 443))
        async with httpx2.AsyncClient(transport=transport, base_url="http://identity") as self.http:
            yield self

    async def send(
        self, method: str, path: str, body: Any = None, *, caller: str | None = STAFF, **more: Any
    ) -> httpx2.Response:
        """One request, with the key of a caller."""
        headers = dict(more.pop("headers", {}))
        if caller is not None:
            headers["authorization"] = f"Bearer {self.callers.keys.get(caller, caller)}"
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    async def register(self, *scopes: str, named: str | None = None) -> str:
        """A new client's id."""
        body = {"id": named or client_id(), "name": "A shop", "scopes": list(scopes or ("payments:read",))}
        answer = await self.send("POST", "/v1/clients", body)
        assert answer.status_code == 201, answer.text
        registered: str = answer.json()["id"]
        return registered

    async def key(self, client: str, **given: Any) -> dict[str, Any]:
        """A new key of a client, with its secret."""
        answer = await self.send("POST", f"/v1/clients/{client}/keys", {"label": "Till", **given})
        assert answer.status_code == 201, answer.text
        issued: dict[str, Any] = answer.json()
        return issued

    async def form(
        self, path: str, fields: dict[str, str], basic: tuple[str, str] | None = None
    ) -> httpx2.Response:
        """A form to an OAuth endpoint, the client's id and secret by HTTP Basic if given."""
        headers = {}
        if basic is not None:
            pair = ":".join(quote(part, safe="") for part in basic)
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await self.http.post(path, data=fields, headers=headers)

    async def rows(self, statement: str, **given: Any) -> list[Any]:
        """What a query finds."""
        async with self.parts.database.snapshot() as connection:
            return list((await connection.execute(text(statement), given)).all())
