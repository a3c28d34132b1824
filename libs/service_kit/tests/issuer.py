"""An issuer small enough to read: it signs, publishes its keys and tells what is trusted, over real HTTP."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry
from service_kit.auth import key_digest
from service_kit.http import HttpServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .sample_api import PEPPER, api_key

ISSUER = "https://identity.test"
FEED_KEY = "flk_feedfeed_" + "f" * 43


def new_key(kid: str, algorithm: str = "EdDSA") -> OKPKey | ECKey:
    """A private key."""
    facts: Any = {"kid": kid, "alg": algorithm, "use": "sig"}
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", facts)
    return ECKey.generate_key("P-256", facts)


def seconds(at: datetime | None = None) -> int:
    return int((at or datetime.now(UTC)).timestamp())


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a good token; None leaves one out."""
    now = seconds()
    good = {
        "iss": ISSUER, "sub": "client:demo", "aud": "florin", "exp": now + 600, "iat": now,
        "jti": str(uuid4()), "client_id": "demo", "scope": "payments:write",
    }  # fmt: skip
    return {name: value for name, value in (good | changes).items() if value is not None}


def segment(content: Any) -> str:
    """One of a token's three parts."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def sign(key: Any, header: Any, payload: bytes, *, algorithm: str = "") -> str:
    """A token by the header's own algorithm, or by one that the header need not tell."""
    signed = f"{segment(header)}.{segment(payload)}"
    # The library's own way in would refuse to make what a forger makes.
    signature = JWSRegistry.algorithms[algorithm or header["alg"]].sign(signed.encode(), key)
    return f"{signed}.{segment(signature)}"


class Issuer:
    """What it publishes may be changed at any time; `asked` counts requests by path."""

    def __init__(self) -> None:
        self.signing = new_key("first")
        self.published: list[OKPKey | ECKey] = [self.signing]
        self.version = 1
        self.keys: list[dict[str, Any]] = []
        self.revoked: dict[str, dict[str, str]] = {"clients": {}, "people": {}, "tokens": {}}
        self.asked: dict[str, int] = {}
        self.used: list[list[str]] = []
        self.away = False
        # Cleared, the feed is answered only once it is set.
        self.answers = asyncio.Event()
        self.answers.set()
        self.url = ""

    def token(self, **changes: Any) -> str:
        """A good token but for these claims."""
        header = {"alg": self.signing.alg, "typ": "at+jwt", "kid": self.signing.kid}
        return sign(self.signing, header, json.dumps(claims(**changes)).encode())

    def trust(self, prefix: str, client: str, **changes: Any) -> None:
        """Trust a key from now on."""
        digest = key_digest(api_key(prefix), PEPPER).hex()
        entry = {"prefix": prefix, "client": client, "digest": digest, "scopes": ["payments:write"]}
        self.keys.append({**entry, "not_after": None, **changes})
        self.version += 1

    def revoke(self, kind: str, name: str, at: datetime) -> None:
        """Tell of a revocation from now on."""
        self.revoked[kind][name] = at.isoformat()
        self.version += 1

    async def jwks(self, request: Request) -> Response:
        self._count(request)
        if self.away:
            return JSONResponse({}, 503)
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published]})

    async def feed(self, request: Request) -> Response:
        self._count(request)
        await self.answers.wait()
        if self.away or request.headers.get("authorization") != f"Bearer {FEED_KEY}":
            return JSONResponse({}, 503 if self.away else 401)
        etag = f'"{self.version}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        content = {"version": self.version, "keys": self.keys, "revoked": self.revoked}
        return JSONResponse(content, headers={"etag": etag})

    async def uses(self, request: Request) -> Response:
        if self.away or request.headers.get("authorization") != f"Bearer {FEED_KEY}":
            return JSONResponse({}, 503 if self.away else 401)
        self.used.append((await request.json())["prefixes"])
        return Response(status_code=204)

    def _count(self, request: Request) -> None:
        self.asked[request.url.path] = self.asked.get(request.url.path, 0) + 1


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer on a port of its own."""
    issuer = Issuer()
    routes = [
        Route("/.well-known/jwks.json", issuer.jwks),
        Route("/internal/v1/trust", issuer.feed),
        Route("/internal/v1/trust/key-uses", issuer.uses, methods=["POST"]),
    ]
    server = HttpServer(Starlette(routes=routes), host="127.0.0.1", port=0)
    running = asyncio.create_task(server.run())
    await server.started()
    issuer.url = f"http://127.0.0.1:{server.port}"
    yield issuer
    await server.stop()
    await running
