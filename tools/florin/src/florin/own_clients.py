"""A client of one's own on a stack: registered, with a key, and with tokens that are renewed in time."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from florin.administration import Administration
from florin.clients import CONNECTIONS, TIMEOUT_S
from florin.credentials import write_private
from florin.environment import KEEPS_CLIENTS, Surroundings
from florin.errors import StackError

# Renewed well before its end: a request must not meet it on the way.
_RENEW_BEFORE_S = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class OwnClient:
    """A registered client and one of its keys."""

    client_id: str
    secret: str


async def own_client(
    surroundings: Surroundings, client_id: str, *, scopes: Sequence[str], label: str
) -> OwnClient:
    """The client, registered if it is not, with a key that is kept in the run folder. Raises StackError."""
    path = _kept_in(surroundings.run_dir, client_id)
    async with Administration.of(surroundings) as office:
        if client_id not in {one["id"] for one in await office.clients()}:
            await office.add_client(client_id, name=client_id, scopes=scopes)
        good = {key["prefix"] for key in await office.keys(client_id) if key["state"] == "active"}
        secret = _read(path)
        if secret is None or secret[4:12] not in good:
            secret = str((await office.add_key(client_id, label=label))["secret"])
            write_private(path, {"client": client_id, "secret": secret})
    return OwnClient(client_id, secret)


class TokenAuth(httpx2.Auth):
    """Shows an access token with every request, and gets a new one in time."""

    def __init__(self, surroundings: Surroundings, client: OwnClient) -> None:
        self._url = f"{surroundings.api_url(KEEPS_CLIENTS)}/oauth/token"
        self._client = client
        self._lock = asyncio.Lock()
        self._token, self._good_until = "", 0.0

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The request, with the token that holds now. Raises StackError."""
        request.headers["authorization"] = f"Bearer {await self.token()}"
        yield request

    async def token(self) -> str:
        """The one that holds now. Raises StackError."""
        async with self._lock:
            if time.monotonic() > self._good_until:
                await self._renew()
        return self._token

    async def _renew(self) -> None:
        shown = (self._client.client_id, self._client.secret)
        async with httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
            answer = await http.post(self._url, data={"grant_type": "client_credentials"}, auth=shown)
        if not answer.is_success:
            raise StackError(f"no token for {self._client.client_id}: {answer.text}")
        body = answer.json()
        self._token = body["access_token"]
        self._good_until = time.monotonic() + body["expires_in"] - _RENEW_BEFORE_S


def token_client(surroundings: Surroundings, service: str, auth: TokenAuth) -> httpx2.AsyncClient:
    """A client of one service's API that shows tokens; the caller closes it (`async with`)."""
    return httpx2.AsyncClient(
        base_url=surroundings.api_url(service),
        auth=auth,
        timeout=TIMEOUT_S,
        limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        # A proxy of the environment has no business between us and this machine.
        trust_env=False,
    )


def _kept_in(run_dir: Path, client_id: str) -> Path:
    return run_dir / "clients" / f"{client_id}.json"


def _read(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["secret"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
