"""Keys are rotated by command while payments come in by them: nobody is refused."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from florin.own_clients import OwnClient, own_client
from florin.ports import HOST
from florin.stack import BASE_VARIABLE, RUN_DIR_VARIABLE
from testkit.stacks import RunningServices
from testkit.waiting import eventually

CLIENTS = 3
ROTATIONS = 3
# How many payments a client makes by one token: few, so that tokens of every key are shown.
BY_ONE_TOKEN = 5
ORDER: dict[str, Any] = {"amount_minor": 1, "currency": "EUR"}
SCOPES = ("accounts:write", "accounts:read", "payments:write", "payments:read")
ABSENT = f"/v1/payments/{UUID(int=1)}"
Bearer = Callable[[], Awaitable[str]]


class Payer:
    """A client that pays without a pause, and keeps every answer by the credential that it showed."""

    def __init__(self, running: RunningServices, bearer: Bearer) -> None:
        self._running = running
        self._bearer = bearer
        self._http = httpx2.AsyncClient(timeout=30, trust_env=False)
        self._stopped = asyncio.Event()
        name = f"ACC-{uuid4().hex[:8]}"
        self._order = ORDER | {"debtor": f"{name}-1", "creditor": f"{name}-2"}
        self.answers: list[tuple[str, int]] = []

    async def send(self, service: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        """One request with the credential that holds now."""
        shown = await self._bearer()
        url = f"http://{HOST}:{self._running.surroundings.ports.api(service)}{path}"
        headers = {"authorization": f"Bearer {shown}", "idempotency-key": uuid4().hex}
        answer = await self._http.post(url, json=body, headers=headers)
        self.answers.append((shown, answer.status_code))
        return answer

    async def open_accounts(self) -> None:
        """Of its own, for several payers may be one client."""
        for name, balance_minor in ((self._order["debtor"], 100_000_000), (self._order["creditor"], 0)):
            body = {"account": name, "holder": "Somebody", "currency": "EUR"}
            made = await self.send("account", "/v1/accounts", body | {"opening_balance_minor": balance_minor})
            assert made.status_code == 201, made.text

    async def pay_on(self) -> None:
        while not self._stopped.is_set():
            await self.send("transaction", "/v1/payments", self._order)

    @asynccontextmanager
    async def paying(self) -> AsyncIterator[None]:
        """Pays until the end of the block."""
        await self.open_accounts()
        busy = asyncio.create_task(self.pay_on())
        try:
            yield
        finally:
            self._stopped.set()
            await busy
            await self._http.aclose()

    async def shows(self, secret: str) -> None:
        """Returns once it has been answered by this credential."""
        await eventually(lambda: self.answers[-1][0] == secret)

    def refused(self) -> list[tuple[str, int]]:
        return [answer for answer in self.answers if answer[1] >= 400]


class Tokens:
    """Access tokens of one client, each for a few requests."""

    def __init__(self, running: RunningServices, client: OwnClient) -> None:
        self._url = f"http://{HOST}:{running.surroundings.ports.api('identity')}/oauth/token"
        self._client = client
        self._left: list[str] = []

    async def next(self) -> str:
        if not self._left:
            async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
                shown = (self._client.client_id, self._client.secret)
                answer = await http.post(self._url, data={"grant_type": "client_credentials"}, auth=shown)
            assert answer.status_code == 200, answer.text
            self._left = [answer.json()["access_token"]] * BY_ONE_TOKEN
        return self._left.pop()


async def florin(running: RunningServices, *words: str) -> tuple[int, str]:
    """The command line on these services: its status, and what it printed."""
    surroundings = running.surroundings
    environment = {
        **os.environ,
        RUN_DIR_VARIABLE: str(surroundings.run_dir),
        BASE_VARIABLE: str(surroundings.ports.base),
        "COLUMNS": "300",
    }
    command = str(Path(sys.executable).with_name("florin"))
    run = await asyncio.create_subprocess_exec(
        command, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await asyncio.wait_for(run.communicate(), 60)
    assert run.returncode is not None
    return run.returncode, printed.decode()


async def rotate_signing_keys(running: RunningServices) -> None:
    """As soon as the command is willing: no sooner than every service can know the key that takes over."""

    async def willing() -> bool:
        status, printed = await florin(running, "keys", "rotate-signing")
        assert status == 0 or "may not know yet" in printed, printed
        return status == 0

    await eventually(willing, timeout_s=60, every_s=0.5)


def header_of(token: str) -> str:
    """The header alone, which is all that tells tokens of one key from another's."""
    return token.partition(".")[0]


@asynccontextmanager
async def all_paying(payers: list[Payer]) -> AsyncIterator[None]:
    """Each pays until the end of the block."""
    async with AsyncExitStack() as busy:
        for payer in payers:
            await busy.enter_async_context(payer.paying())
        yield


async def client_of(running: RunningServices) -> OwnClient:
    name = f"load-{uuid4().hex[:8]}"
    return await own_client(running.surroundings, name, scopes=SCOPES, label="test")


async def test_signing_keys_are_rotated_while_tokens_pay(running: RunningServices) -> None:
    """Again and again, by the command: tokens of each key are shown, and none is refused."""
    clients = [await client_of(running) for _ in range(CLIENTS)]
    payers = [Payer(running, Tokens(running, client).next) for client in clients]

    def all_have_shown(keys: int) -> bool:
        return all(len({header_of(shown) for shown, _ in payer.answers}) == keys for payer in payers)

    async with all_paying(payers):
        for rotated in range(1, ROTATIONS + 1):
            await rotate_signing_keys(running)
            await eventually(partial(all_have_shown, rotated + 1), timeout_s=20)
    assert [payer.refused() for payer in payers] == [[]] * CLIENTS
    assert all(len(payer.answers) > 4 * BY_ONE_TOKEN for payer in payers)


@dataclass
class Replica:
    """One process of an upstream system: it has the key that its own deployment brought."""

    secret: str

    async def bearer(self) -> str:
        return self.secret


async def test_an_api_key_is_rotated_while_it_pays(running: RunningServices) -> None:
    """The replicas of one client take the new key over one after another, and neither key is refused; once it
    is revoked the old one is."""
    client = await client_of(running)
    replicas = [Replica(client.secret) for _ in range(CLIENTS)]
    payers = [Payer(running, replica.bearer) for replica in replicas]
    secrets = [client.secret]
    async with all_paying(payers):
        for _ in range(ROTATIONS):
            prefix = secrets[-1].split("_")[1]
            status, printed = await florin(
                running, "keys", "rotate", client.client_id, prefix, "--overlap", "60"
            )
            assert status == 0, printed
            secrets += re.findall(r"^flk_\S+$", printed, re.MULTILINE)
            for payer, replica in zip(payers, replicas, strict=True):
                replica.secret = secrets[-1]
                await payer.shows(secrets[-1])
    assert len(secrets) == ROTATIONS + 1
    assert [payer.refused() for payer in payers] == [[]] * CLIENTS
    for payer in payers:
        assert [*dict.fromkeys(shown for shown, _ in payer.answers)] == secrets
    prefix = secrets[0].split("_")[1]
    assert (await florin(running, "keys", "revoke", client.client_id, prefix, "-r", "test"))[0] == 0
    await eventually(lambda: refused(running, secrets[0]))
    assert await opens(running, secrets[-1])


async def answer_to(running: RunningServices, secret: str) -> int:
    """To a request that asks for nothing that exists: whoever is let in gets 404."""
    url = f"http://{HOST}:{running.surroundings.ports.api('transaction')}{ABSENT}"
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        return (await http.get(url, headers={"authorization": f"Bearer {secret}"})).status_code


async def opens(running: RunningServices, secret: str) -> bool:
    return await answer_to(running, secret) == 404


async def refused(running: RunningServices, secret: str) -> bool:
    return await answer_to(running, secret) == 401
