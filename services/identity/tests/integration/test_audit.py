"""Whoever changes what others may do, or looks at it, stands in the audit log."""

from functools import partial
from typing import Any

import httpx2
import pytest
from service_kit.audit.masking import MASK
from testkit.auditing import AuditLog, audited_routes
from testkit.databases import ServiceDatabase

from .office import STAFF, Office
from .persons import Person, invited, signed_in

CLIENTS, KEYS = "/v1/clients", "/v1/clients/{client_id}/keys"
PEOPLE, SESSIONS = "/v1/people", "/v1/people/{person_id}/sessions"
ACTIONS = {
    ("POST", CLIENTS): "client.registered",
    ("GET", CLIENTS): "clients.listed",
    ("GET", f"{CLIENTS}/{{client_id}}"): "client.read",
    ("GET", f"{CLIENTS}/{{client_id}}/changes"): "client.changes-read",
    ("POST", f"{CLIENTS}/{{client_id}}/status"): "client.suspended",
    ("POST", KEYS): "key.issued",
    ("GET", KEYS): "keys.listed",
    ("POST", f"{KEYS}/{{key_id}}/rotations"): "key.rotated",
    ("POST", f"{KEYS}/{{key_id}}/revocation"): "key.revoked",
    ("GET", "/v1/signing-keys"): "signing-keys.listed",
    ("POST", "/v1/signing-keys/rotations"): "signing-key.rotated",
    ("POST", "/oauth/token"): "token.issued",
    ("POST", "/oauth/revoke"): "token.revoked",
    ("POST", PEOPLE): "person.invited",
    ("GET", PEOPLE): "people.listed",
    ("GET", f"{PEOPLE}/{{person_id}}"): "person.read",
    ("PUT", f"{PEOPLE}/{{person_id}}/roles"): "person.roles-given",
    ("POST", f"{PEOPLE}/{{person_id}}/disable"): "person.disabled",
    ("POST", f"{PEOPLE}/{{person_id}}/invitation"): "person.invited-again",
    ("POST", f"{PEOPLE}/{{person_id}}/second-factor/reset"): "person.second-factor-reset",
    ("GET", SESSIONS): "person.sessions-read",
    ("DELETE", SESSIONS): "person.signed-out",
    ("DELETE", f"{SESSIONS}/{{session_id}}"): "session.ended",
    ("POST", "/v1/enrolment"): "person.enrolment-begun",
    ("POST", "/v1/enrolment/confirm"): "person.enrolled",
    ("DELETE", "/v1/session"): "session.ended",
    ("POST", "/v1/session/token"): "token.issued",
    ("POST", "/v1/session/password"): "password.changed",
    ("POST", "/v1/session/recovery-codes"): "recovery-codes.renewed",
    ("DELETE", "/v1/sessions/{session_id}"): "session.ended",
    ("GET", "/v1/audit"): "audit.read",
}


@pytest.fixture
def log(identity_database: ServiceDatabase) -> AuditLog:
    return AuditLog(identity_database.admin_url, "identity")


class Watch:
    """Sends requests and keeps what each left in the log."""

    def __init__(self, office: Office, log: AuditLog) -> None:
        self._office, self._log = office, log
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}

    async def see(self, route: tuple[str, str], send: Any) -> Any:
        """The answer's body; one entry must have come of it."""
        answer, entries = await self._log.of(send)
        assert answer.is_success, answer.text
        assert [entry["action"] for entry in entries] == [ACTIONS[route]]
        self.seen[route] = entries[0]
        return answer.json() if answer.content else None

    async def staff(self, method: str, path: str, body: Any = None, **named: str) -> Any:
        """What Florin's staff ask."""

        async def send(headers: dict[str, str]) -> httpx2.Response:
            return await self._office.send(method, path.format(**named), body, headers=headers)

        return await self.see((method, path), send)

    async def browser(self, person: Person, method: str, path: str, body: Any = None, **named: str) -> Any:
        """What a person's browser asks."""

        async def send(headers: dict[str, str]) -> httpx2.Response:
            ours = headers | {"x-florin-request": "1"}
            return await person.ask(method, path.format(**named), body, headers=ours)

        return await self.see((method, path), send)

    async def form(self, path: str, fields: dict[str, str], basic: tuple[str, str]) -> Any:
        """What a client asks of OAuth's endpoints."""

        async def send(headers: dict[str, str]) -> httpx2.Response:
            return await self._office.http.post(path, data=fields, headers=headers, auth=basic)

        return await self.see(("POST", path), send)


async def test_each_deed_of_administration_leaves_one_entry(office: Office, log: AuditLog) -> None:
    watch = Watch(office, log)
    await _administer_clients(watch)
    await _administer_people(office, watch)
    await _live_a_session(office, watch)
    auditor = partial(office.send, "GET", "/v1/audit", caller="auditor")
    await watch.see(("GET", "/v1/audit"), lambda headers: auditor(headers=headers))
    assert watch.seen.keys() == ACTIONS.keys()
    assert watch.seen.keys() == set(audited_routes(office.api))


async def _administer_clients(watch: Watch) -> None:
    named = {"client_id": "audited-shop"}
    body = {"id": named["client_id"], "name": "A shop", "scopes": ["payments:read", "payments:write"]}
    await watch.staff("POST", CLIENTS, body)
    told = watch.seen["POST", CLIENTS]
    assert (told["client_id"], told["by_client_id"]) == (named["client_id"], STAFF)
    assert told["after"] == {
        "name": MASK,
        "scopes": ["payments:read", "payments:write"],
        "status": "active",
    }
    issued = await watch.staff("POST", KEYS, {"label": "Till"}, **named)
    rotated = await watch.staff(
        "POST", f"{KEYS}/{{key_id}}/rotations", None, key_id=issued["key"]["id"], **named
    )
    basic = (named["client_id"], rotated["secret"])
    token = await watch.form("/oauth/token", {"grant_type": "client_credentials"}, basic)
    told = watch.seen["POST", "/oauth/token"]
    assert (told["actor"], told["credential"]) == (
        "client:audited-shop",
        f"key:{rotated['key']['prefix']}",
    )
    await watch.form("/oauth/revoke", {"token": token["access_token"]}, basic)
    assert watch.seen["POST", "/oauth/revoke"]["subject"] == told["subject"]
    body = {"reason": "Leaked"}
    await watch.staff("POST", f"{KEYS}/{{key_id}}/revocation", body, key_id=rotated["key"]["id"], **named)
    assert watch.seen["POST", f"{KEYS}/{{key_id}}/revocation"]["reason"] == "Leaked"
    for path in (CLIENTS, f"{CLIENTS}/{{client_id}}", f"{CLIENTS}/{{client_id}}/changes", KEYS):
        await watch.staff("GET", path, **named)
    await watch.staff("GET", "/v1/signing-keys")
    await watch.staff("POST", "/v1/signing-keys/rotations", {"overlap_s": 0})
    body = {"status": "suspended", "reason": "Unpaid"}
    await watch.staff("POST", f"{CLIENTS}/{{client_id}}/status", body, **named)
    told = watch.seen["POST", f"{CLIENTS}/{{client_id}}/status"]
    assert (told["before"], told["after"]) == ({"status": "active"}, {"status": "suspended"})
    assert told["reason"] == "Unpaid"


async def _administer_people(office: Office, watch: Watch) -> None:
    person = await signed_in(office)
    named = {"person_id": person.id}
    await watch.staff("GET", PEOPLE)
    await watch.staff("GET", f"{PEOPLE}/{{person_id}}", **named)
    await watch.staff("PUT", f"{PEOPLE}/{{person_id}}/roles", {"roles": ["auditor"]}, **named)
    told = watch.seen["PUT", f"{PEOPLE}/{{person_id}}/roles"]
    assert (told["before"]["roles"], told["after"]["roles"]) == (["operator"], ["auditor"])
    [session] = (await watch.staff("GET", SESSIONS, **named))["items"]
    await watch.staff("DELETE", f"{SESSIONS}/{{session_id}}", session_id=session["id"], **named)
    await watch.staff("DELETE", SESSIONS, **named)
    await watch.staff("POST", f"{PEOPLE}/{{person_id}}/second-factor/reset", **named)
    await watch.staff("POST", f"{PEOPLE}/{{person_id}}/disable", **named)
    await watch.staff("POST", f"{PEOPLE}/{{person_id}}/invitation", **named)
    told = watch.seen["POST", f"{PEOPLE}/{{person_id}}/invitation"]
    assert (told["before"]["state"], told["after"]["state"]) == ("disabled", "invited")


async def _live_a_session(office: Office, watch: Watch) -> None:
    body = {"name": "Eva Nová", "email": "eva.audited@example.com", "roles": ["operator"]}
    await watch.staff("POST", PEOPLE, body)
    assert watch.seen["POST", PEOPLE]["after"] == {
        "name": MASK,
        "email": MASK,
        "roles": ["operator"],
        "state": "invited",
    }
    person, invitation = await invited(office)
    body = {"invitation": invitation, "password": person.password}
    await watch.browser(person, "POST", "/v1/enrolment", body)
    told = watch.seen["POST", "/v1/enrolment"]
    assert told["actor"] == f"person:{person.id}"
    assert told["credential"].startswith("invitation:")
    await person.enrol(invitation)
    await watch.browser(
        person, "POST", "/v1/enrolment/confirm", {"invitation": invitation, "code": person.code()}
    )
    await person.sign_in()
    token = await watch.browser(person, "POST", "/v1/session/token")
    assert token["access_token"]
    assert watch.seen["POST", "/v1/session/token"]["credential"].startswith("session:")
    await watch.browser(person, "POST", "/v1/session/recovery-codes")
    elsewhere = Person(office, person.id, person.client, person.email, secret=person.secret)
    await elsewhere.sign_in()
    listed = (await person.ask("GET", "/v1/sessions")).json()["items"]
    other = next(one["id"] for one in listed if not one["current"])
    await watch.browser(person, "DELETE", "/v1/sessions/{session_id}", session_id=other)
    body = {"current_password": person.password, "password": "an owl over the other ledger"}
    await watch.browser(person, "POST", "/v1/session/password", body)
    await watch.browser(person, "DELETE", "/v1/session")


async def test_no_secret_and_nothing_personal_stands_in_the_log(office: Office, log: AuditLog) -> None:
    person = await signed_in(office, name="Xaver Unheard-Of")
    issued = await office.key(await office.register())
    for secret in ("Xaver", person.email, person.password, person.cookie, issued["secret"], *person.codes):
        assert await log.entries("strpos(audit_entries::text, $1) > 0", secret) == []
