"""Key-encryption keys are rotated and dropped while the real services run and people are registered."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from florin import person_keys
from florin.credentials import key_encryption_keys_file
from florin.errors import StackError
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services


@pytest.fixture(scope="module")
async def running(backing: Backing, databases: Databases) -> AsyncIterator[RunningServices]:
    """Those of which persons' keys are asked, their own: keys are dropped, and one of them is killed."""
    with running_services(backing, databases, names=["identity", "account"]) as started:
        yield started
        await started.close_clients()


async def register(running: RunningServices) -> dict[str, Any]:
    number = f"+42060{secrets.choice('12345678')}{secrets.randbelow(10**6):06d}"
    body = {"name": "Jana Nová", "mobile": number, "email": f"{uuid4().hex}@example.com", "currency": "EUR"}
    headers = {"Idempotency-Key": uuid4().hex}
    answer = await running.client("account").post("/v1/customers", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_keys_are_rotated_and_dropped_while_the_service_runs(running: RunningServices) -> None:
    """Whoever is registered before, during and after is read after; the old key is not needed any more."""
    surroundings, account = running.surroundings, running.client("account")
    people = [await register(running) for _ in range(20)]
    stop = asyncio.Event()

    async def go_on_registering() -> None:
        while not stop.is_set():
            people.append(await register(running))
            read = await account.get(f"/v1/customers/{secrets.choice(people)['id']}")
            assert (read.status_code, read.json()["name"]) == (200, "Jana Nová")

    busy = asyncio.create_task(go_on_registering())
    now = datetime.now(UTC)
    try:
        rotated = await person_keys.rotate(surroundings, now=now)
        assert rotated.active == "kek-2"
        assert rotated.rotation.rewrapped >= 20
        assert rotated.rotation.broken == ()
    finally:
        stop.set()
        await busy
    await person_keys.rotate(surroundings, now=now, keep=True)
    assert (await person_keys.kept_keys(surroundings)).keys() == {"kek-2"}
    with pytest.raises(StackError, match="try again later"):
        await person_keys.drop(surroundings, "kek-1", now=now + timedelta(seconds=1))
    await person_keys.drop(surroundings, "kek-1", now=now + timedelta(minutes=3))
    document = json.loads(key_encryption_keys_file(surroundings.run_dir).read_text())
    assert [key["id"] for key in document["keys"]] == ["kek-2"]
    running.services.kill("account")
    running.services.start("account")
    people.append(await register(running))
    for person in people:
        read = await account.get(f"/v1/customers/{person['id']}")
        assert (read.status_code, read.json()) == (200, person)


async def test_a_key_that_is_needed_is_not_dropped(running: RunningServices) -> None:
    await register(running)
    surroundings, now = running.surroundings, datetime.now(UTC)
    path = key_encryption_keys_file(surroundings.run_dir)
    active = next(key["id"] for key in json.loads(path.read_text())["keys"] if key["active"])
    with pytest.raises(StackError, match="is the active key"):
        await person_keys.drop(surroundings, active, now=now)
    with pytest.raises(StackError, match="no key 'kek-99'"):
        await person_keys.drop(surroundings, "kek-99", now=now)
    person_keys.add_key(path, now=now)
    with pytest.raises(StackError, match="keys are kept under"):
        await person_keys.drop(surroundings, active, now=now + timedelta(minutes=3))
