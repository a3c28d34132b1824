"""What identity keeps under key-encryption keys is brought under a new one by command, while it runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from florin import person_keys
from florin.credentials import identity_keys_file
from florin.errors import StackError
from florin.own_clients import OwnClient, TokenAuth, own_client
from florin.person_keys import USERS
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services

from .tenants import Somebody, Tenant, sign_somebody_in

SCOPES = ("clients:admin", "people:admin")


@pytest.fixture(scope="module")
async def running(backing: Backing, databases: Databases) -> AsyncIterator[RunningServices]:
    """Identity alone, its own: keys are dropped, and it is killed."""
    settings = {"FLORIN_REDIS_URL": backing.redis_url}
    with running_services(backing, databases, names=["identity"], settings=settings) as started:
        yield started
        await started.close_clients()


@pytest.fixture
async def office(running: RunningServices) -> AsyncIterator[Tenant]:
    """Florin's own staff."""
    key = running.surroundings.credentials.api_keys["operator"]
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        yield Tenant(running, "operator", key, http)


async def works(office: Tenant, client: OwnClient) -> bool:
    """Whether a token is signed, and believed."""
    token = await TokenAuth(office.running.surroundings, client).token()
    asked = Tenant(office.running, client.client_id, token, office.http)
    return (await asked.ask("identity", "GET", "/v1/clients")).is_success


async def assert_known(office: Tenant, somebody: Somebody) -> None:
    """Their name opens, and so does what their authenticator is compared with."""
    browser = Tenant(office.running, office.name, "", office.http, somebody.cookie)
    told = await browser.make("identity", "GET", "/v1/session", by_cookie=True)
    assert told["person"]["name"] == "Jana Nová"
    code = {"code": somebody.next_code()}
    await browser.make("identity", "POST", "/v1/session/second-factor", code, by_cookie=True)


async def test_people_and_signing_keys_come_under_the_new_key_while_all_goes_on(
    running: RunningServices, office: Tenant
) -> None:
    """Who enrolled before, during and after is known after; tokens are signed all the time; the old key is
    not needed any more."""
    surroundings = running.surroundings
    client = await own_client(surroundings, "till", scopes=SCOPES, label="test")
    people = [await sign_somebody_in(office) for _ in range(2)]
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            people.append(await sign_somebody_in(office))
            assert await works(office, client)

    busy = asyncio.create_task(go_on())
    now = datetime.now(UTC)
    try:
        rotated = await person_keys.rotate(surroundings, now=now, keeper=USERS)
    finally:
        stop.set()
        await busy
    assert (rotated.active, rotated.rotation.broken) == ("kek-2", ())
    # Two people, the key that signs and the one that stands by.
    assert rotated.rotation.rewrapped >= 4
    await person_keys.rotate(surroundings, now=now, keep=True, keeper=USERS)
    assert (await person_keys.kept_keys(surroundings, keeper=USERS)).keys() == {"kek-2"}
    await person_keys.drop(surroundings, "kek-1", now=now + timedelta(minutes=3), keeper=USERS)
    document = json.loads(identity_keys_file(surroundings.run_dir).read_text())
    assert [key["id"] for key in document["keys"]] == ["kek-2"]
    running.services.kill("identity")
    running.services.start("identity")
    people.append(await sign_somebody_in(office))
    for somebody in people:
        await assert_known(office, somebody)
    assert await works(office, client)
    await office.make("identity", "POST", "/v1/signing-keys/rotations", {"overlap_s": 60})
    assert await works(office, client)


async def test_a_key_under_which_anything_lies_is_not_dropped(running: RunningServices) -> None:
    surroundings, now = running.surroundings, datetime.now(UTC)
    path = identity_keys_file(surroundings.run_dir)
    active = next(key["id"] for key in json.loads(path.read_text())["keys"] if key["active"])
    with pytest.raises(StackError, match="florin users rotate-keys"):
        await person_keys.drop(surroundings, active, now=now, keeper=USERS)
    person_keys.add_key(path, now=now)
    with pytest.raises(StackError, match="keys are kept under"):
        await person_keys.drop(surroundings, active, now=now + timedelta(minutes=3), keeper=USERS)
