"""API keys: shown once, kept as digests, bounded by their client, replaced with overlap, revoked for good."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from service_kit.auth import key_digest
from testkit.databases import ServiceDatabase, connect

from .office import PEPPER, Office, client_id


async def told(office: Office) -> dict[str, Any]:
    """The keys of the trust feed, by prefix."""
    answer = await office.send("GET", "/internal/v1/trust", caller="feed")
    return {key["prefix"]: key for key in answer.json()["keys"]}


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(office: Office) -> None:
    client = await office.register("payments:read", "payments:write")
    issued = await office.key(client, scopes=["payments:read"])
    secret = issued["secret"]
    assert secret.startswith(f"flk_{issued['key']['prefix']}_")
    listed = (await office.send("GET", f"/v1/clients/{client}/keys")).text
    assert issued["key"]["prefix"] in listed
    assert secret not in listed
    kept = await office.rows("SELECT * FROM api_keys WHERE client_id = :client", client=client)
    assert secret not in str(kept)
    key = (await told(office))[issued["key"]["prefix"]]
    assert key["digest"] == key_digest(secret, PEPPER.encode()).hex()
    assert (key["client"], key["scopes"], key["not_after"]) == (client, ["payments:read"], None)


async def test_a_key_may_do_no_more_than_its_client(office: Office) -> None:
    client = await office.register("payments:read")
    body = {"label": "Till", "scopes": ["payments:read", "rules:write"]}
    answer = await office.send("POST", f"/v1/clients/{client}/keys", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "scope_not_granted"
    assert not await office.rows("SELECT 1 FROM api_keys WHERE client_id = :client", client=client)


async def test_an_expired_key_is_told_no_more(office: Office) -> None:
    client = await office.register()
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    prefix = (await office.key(client, not_after=soon))["key"]["prefix"]
    assert prefix in await told(office)
    office.clock.move(minutes=1)
    assert prefix not in await told(office)
    listed = (await office.send("GET", f"/v1/clients/{client}/keys")).json()["items"]
    assert [key["state"] for key in listed] == ["expired"]
    late = await office.send("POST", f"/v1/clients/{client}/keys", {"label": "x", "not_after": soon})
    assert late.json()["errors"][0]["code"] == "expiry_passed"


async def test_a_replaced_key_goes_on_for_the_overlap_and_is_replaced_once(office: Office) -> None:
    client = await office.register()
    old = await office.key(client)
    path = f"/v1/clients/{client}/keys/{old['key']['id']}/rotations"
    rotated = (await office.send("POST", path, {"overlap_s": 60})).json()
    assert rotated["key"]["replaces"] == old["key"]["id"]
    assert {old["key"]["prefix"], rotated["key"]["prefix"]} <= (await told(office)).keys()
    office.clock.move(seconds=61)
    keys = await told(office)
    assert rotated["key"]["prefix"] in keys
    assert old["key"]["prefix"] not in keys
    again = await office.send("POST", path)
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")


async def test_a_revoked_key_and_the_clients_tokens_end(office: Office) -> None:
    client = await office.register()
    key = (await office.key(client))["key"]
    path = f"/v1/clients/{client}/keys/{key['id']}/revocation"
    before = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    revoked = (await office.send("POST", path, {"reason": "Leaked"})).json()
    assert revoked["state"] == "revoked"
    feed = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    assert key["prefix"] not in {one["prefix"] for one in feed["keys"]}
    assert client in feed["revoked"]["clients"]
    assert feed["version"] > before["version"]
    again = (await office.send("POST", path, {"reason": "Again"})).json()
    assert again == revoked
    assert (await office.send("GET", "/internal/v1/trust", caller="feed")).json() == feed


async def test_the_database_lets_no_key_be_revived(
    office: Office, identity_database: ServiceDatabase
) -> None:
    client = await office.register()
    key = (await office.key(client))["key"]
    path = f"/v1/clients/{client}/keys/{key['id']}"
    await office.send("POST", f"{path}/rotations", {"overlap_s": 60})
    await office.send("POST", f"{path}/revocation", {"reason": "Leaked"})
    connection = await connect(identity_database.app_url)
    try:
        for change in ("revoked_at = NULL", "not_after = NULL", "not_after = now() + interval '1 year'"):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(f"UPDATE api_keys SET {change} WHERE prefix = $1", key["prefix"])
    finally:
        await connection.close()


async def test_suspended_a_client_has_no_keys_until_it_is_let_in_again(office: Office) -> None:
    client = await office.register()
    prefix = (await office.key(client))["key"]["prefix"]
    path = f"/v1/clients/{client}/status"
    suspended = await office.send("POST", path, {"status": "suspended", "reason": "Unpaid"})
    assert suspended.json()["status"] == "suspended"
    feed = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    assert prefix not in {key["prefix"] for key in feed["keys"]}
    assert client in feed["revoked"]["clients"]
    refused = await office.send("POST", f"/v1/clients/{client}/keys", {"label": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "client_suspended")
    await office.send("POST", path, {"status": "active", "reason": "Paid"})
    assert prefix in await told(office)
    changes = (await office.send("GET", f"/v1/clients/{client}/changes")).json()["items"]
    assert [one["change"] for one in changes] == ["resumed", "suspended", "registered"]


async def test_a_foreign_clients_keys_are_as_absent(office: Office) -> None:
    other = await office.register()
    key = (await office.key(other))["key"]
    absent = client_id()
    for method, rest, body in (
        ("GET", "", None),
        ("POST", "", {"label": "x"}),
        ("POST", f"/{key['id']}/rotations", {}),
        ("POST", f"/{key['id']}/revocation", {"reason": "x"}),
    ):
        answers = [
            await office.send(method, f"/v1/clients/{one}/keys{rest}", body, caller="tenant")
            for one in (other, absent)
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.json()["detail"] for answer in answers}) == 1
    gone = await office.send("POST", f"/v1/clients/{other}/keys/{uuid4()}/rotations")
    assert gone.status_code == 404


async def test_the_feed_answers_304_until_something_changes(office: Office) -> None:
    client = await office.register()
    first = await office.send("GET", "/internal/v1/trust", caller="feed")
    known = {"if-none-match": first.headers["etag"]}
    unchanged = await office.send("GET", "/internal/v1/trust", caller="feed", headers=known)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await office.key(client)
    changed = await office.send("GET", "/internal/v1/trust", caller="feed", headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert (await office.send("GET", "/internal/v1/trust", caller="stranger")).status_code == 403
