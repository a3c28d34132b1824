"""Tokens by client credentials: RFC 6749's refusals, RFC 9068's claims, keys that rotate, revocation."""

import base64
import json
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from identity_service.domain.signing_key import KNOWN_AFTER

from .office import ISSUER, Office, client_id

GRANT = {"grant_type": "client_credentials"}


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


async def jwks(office: Office) -> dict[str, dict[str, str]]:
    """The published keys by kid."""
    answer = await office.send("GET", "/.well-known/jwks.json", caller=None)
    return {key["kid"]: key for key in answer.json()["keys"]}


async def rotate(office: Office, *, overlap_s: int) -> httpx2.Response:
    """Ask for another key to sign."""
    return await office.send("POST", "/v1/signing-keys/rotations", {"overlap_s": overlap_s})


async def verify(office: Office, token: str) -> None:
    """Raises when no published key has signed it."""
    key = (await jwks(office))[part(token, 0)["kid"]]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    signed, _, signature = token.rpartition(".")
    public.verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())


async def customer(office: Office, *scopes: str) -> tuple[str, str]:
    """A new client's id and secret."""
    client = await office.register(*scopes)
    return client, (await office.key(client))["secret"]


async def token(office: Office, shown: tuple[str, str], **fields: str) -> str:
    answer = await office.form("/oauth/token", GRANT | fields, shown)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["access_token"]
    return text


async def test_a_client_gets_a_token_that_says_what_rfc_9068_asks(office: Office) -> None:
    shown = await customer(office, "payments:read", "payments:write")
    answer = await office.form("/oauth/token", GRANT, shown)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert body["scope"] == "payments:read payments:write"
    header, claims = part(body["access_token"], 0), part(body["access_token"], 1)
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    assert claims.keys() == {"iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp"}
    assert (claims["iss"], claims["aud"]) == (ISSUER, "florin")
    assert (claims["sub"], claims["client_id"]) == (f"client:{shown[0]}", shown[0])
    assert claims["exp"] - claims["iat"] == 600
    await verify(office, body["access_token"])


async def test_by_form_and_with_fewer_scopes(office: Office) -> None:
    client, secret = await customer(office, "payments:read", "payments:write")
    fields = {**GRANT, "client_id": client, "client_secret": secret, "scope": "payments:read"}
    answer = await office.form("/oauth/token", fields)
    assert part(answer.json()["access_token"], 1)["scope"] == "payments:read"
    more = await office.form("/oauth/token", {**fields, "scope": "payments:read rules:write"})
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")


async def test_whoever_is_not_a_client_is_told_alike(office: Office) -> None:
    client, secret = await customer(office)
    other, _ = await customer(office)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    answers = [
        await office.form("/oauth/token", GRANT, shown)
        for shown in (
            (client, wrong),
            (client, "x"),
            (other, secret),
            (client_id(), secret),
            ("a\0b", secret),
        )
    ]
    answers.append(await office.form("/oauth/token", GRANT))
    for answer in answers:
        assert (answer.status_code, answer.json()) == (401, answers[0].json())
        assert answer.json()["error"] == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({**GRANT, "client_id": "other"}, "invalid_request"),
        ({**GRANT, "client_secret": "x"}, "invalid_request"),
        ({**GRANT, "scope": 'a"b'}, "invalid_scope"),
        ({**GRANT, "scope": "a  b"}, "invalid_scope"),
    ],
)
async def test_refusals_are_in_the_words_of_rfc_6749(
    office: Office, fields: dict[str, str], error: str
) -> None:
    answer = await office.form("/oauth/token", fields, await customer(office))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_a_form_that_cannot_be_read_is_refused(office: Office) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"grant_type=a&grant_type=a", b"grant_type", b"a=%ff", b"\xff=1", b"&".join([b"a=1"] * 30)):
        answer = await office.http.post("/oauth/token", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    as_json = await office.http.post("/oauth/token", json=GRANT)
    assert (as_json.status_code, as_json.json()["code"]) == (415, "unsupported_media_type")


async def test_ended_keys_and_suspended_clients_get_none(office: Office) -> None:
    client = await office.register()
    issued = await office.key(client)
    shown = (client, issued["secret"])
    await token(office, shown)
    status = f"/v1/clients/{client}/status"
    await office.send("POST", status, {"status": "suspended", "reason": "Unpaid"})
    assert (await office.form("/oauth/token", GRANT, shown)).status_code == 401
    await office.send("POST", status, {"status": "active", "reason": "Paid"})
    await token(office, shown)
    path = f"/v1/clients/{client}/keys/{issued['key']['id']}/revocation"
    await office.send("POST", path, {"reason": "Leaked"})
    assert (await office.form("/oauth/token", GRANT, shown)).status_code == 401


async def test_rotation_lets_the_key_sign_that_all_know_already(office: Office) -> None:
    await rotate(office, overlap_s=0)
    shown = await customer(office)
    old = await token(office, shown)
    before = await jwks(office)
    office.clock.move(seconds=KNOWN_AFTER.seconds)
    rotated = (await rotate(office, overlap_s=60)).json()["items"]
    assert [key["state"] for key in rotated] == ["retired", "active", "next"]
    new = await token(office, shown)
    assert part(old, 0)["kid"] == rotated[0]["kid"]
    assert part(new, 0)["kid"] == rotated[1]["kid"]
    assert rotated[1]["kid"] in before
    await verify(office, old)
    await verify(office, new)
    office.clock.move(seconds=61)
    published = await jwks(office)
    assert rotated[0]["kid"] not in published
    assert {rotated[1]["kid"], rotated[2]["kid"]} <= published.keys()


async def test_a_key_that_services_may_not_know_yet_does_not_sign(office: Office) -> None:
    """Unless the one that signs has leaked."""
    assert (await rotate(office, overlap_s=0)).status_code == 201
    office.clock.move(seconds=KNOWN_AFTER.seconds - 1)
    before = await office.rows("SELECT kid, state FROM signing_keys ORDER BY kid")
    hasty = await rotate(office, overlap_s=1)
    assert (hasty.status_code, hasty.json()["code"]) == (409, "standby_too_young")
    assert hasty.headers["retry-after"] == "1"
    assert await office.rows("SELECT kid, state FROM signing_keys ORDER BY kid") == before
    assert (await rotate(office, overlap_s=0)).status_code == 201
    office.clock.move(seconds=KNOWN_AFTER.seconds)
    assert (await rotate(office, overlap_s=1)).status_code == 201


async def test_the_feed_says_that_there_is_another_signing_key(office: Office) -> None:
    """By its version: services fetch the keys again."""
    before = (await office.send("GET", "/internal/v1/trust", caller="feed")).headers["etag"]
    assert (await rotate(office, overlap_s=0)).status_code == 201
    after = await office.send("GET", "/internal/v1/trust", caller="feed", headers={"if-none-match": before})
    assert after.status_code == 200


async def test_signing_keys_are_sealed_and_bound_to_their_row(office: Office) -> None:
    rows = await office.rows("SELECT kid, sealed_key FROM signing_keys WHERE state <> 'retired'")
    assert all(len(row.sealed_key) == 12 + 32 + 16 for row in rows)
    assert (await office.send("POST", "/v1/signing-keys/rotations", {}, caller="tenant")).status_code == 403


async def test_a_revoked_token_is_told_and_only_its_holder_revokes_it(office: Office) -> None:
    shown = await customer(office)
    text = await token(office, shown)
    stranger = await office.form("/oauth/revoke", {"token": text}, await customer(office))
    assert (stranger.status_code, stranger.json()["error"]) == (400, "invalid_grant")
    for nothing in ("no.token.at-all", text[:-4] + "AAAA", "flk_x"):
        assert (await office.form("/oauth/revoke", {"token": nothing}, shown)).status_code == 200
    feed = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    assert part(text, 1)["jti"] not in feed["revoked"]["tokens"]
    assert (await office.form("/oauth/revoke", {"token": text}, shown)).status_code == 200
    feed = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    assert part(text, 1)["jti"] in feed["revoked"]["tokens"]
    office.clock.move(minutes=16)
    await office.key(shown[0])
    feed = (await office.send("GET", "/internal/v1/trust", caller="feed")).json()
    assert part(text, 1)["jti"] not in feed["revoked"]["tokens"]


async def test_the_metadata_leads_to_the_endpoints(office: Office) -> None:
    answer = await office.send("GET", "/.well-known/oauth-authorization-server", caller=None)
    document = answer.json()
    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert document["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert "payments:write" in document["scopes_supported"]


async def test_the_last_use_of_a_key_is_told_by_the_services_that_it_opened(office: Office) -> None:
    client = await office.register()
    issued = await office.key(client)
    prefixes = [issued["key"]["prefix"], "aaaaaaaa"]
    path = "/internal/v1/trust/key-uses"
    assert (await office.send("POST", path, {"prefixes": prefixes}, caller="feed")).status_code == 204
    await office.parts.key_uses.write()
    keys = (await office.send("GET", f"/v1/clients/{client}/keys")).json()["items"]
    assert keys[0]["last_used_at"] is not None
    for caller in ("stranger", "operator"):
        assert (await office.send("POST", path, {"prefixes": prefixes}, caller=caller)).status_code == 403
    for wrong in ([], ["short"], [issued["secret"]], ["aaaaaaaa"] * 1001):
        refused = await office.send("POST", path, {"prefixes": wrong}, caller="feed")
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"].startswith("prefixes")


async def test_the_last_use_of_a_key_is_written_down_off_the_way(office: Office) -> None:
    client = await office.register()
    issued = await office.key(client)
    await token(office, (client, issued["secret"]))
    path = f"/v1/clients/{client}/keys"
    assert (await office.send("GET", path)).json()["items"][0]["last_used_at"] is None
    await office.parts.key_uses.write()
    assert (await office.send("GET", path)).json()["items"][0]["last_used_at"] is not None
