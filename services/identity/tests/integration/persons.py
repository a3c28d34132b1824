"""People as they sign in: each with a browser, an authenticator and a sheet of recovery codes."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx2
from identity_service.domain import totp

from .office import Office

COOKIE = "__Host-florin_session"
OURS = {"x-florin-request": "1"}
PASSWORD = "a fox ran over the ledger"


@dataclass
class Person:
    """`cookie` is what the person's browser holds."""

    office: Office
    id: str
    client: str
    email: str
    password: str = PASSWORD
    secret: bytes = b""
    codes: list[str] = field(default_factory=list)
    cookie: str | None = None

    def code(self, *, later: bool = True) -> str:
        """What the authenticator shows, after its next turn unless the present one is asked for."""
        if later:
            self.office.clock.move(seconds=totp.STEP_S)
        return totp.code_at(self.secret, totp.step_at(self.office.clock.now()))

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """One request of the person's browser, from our own pages unless its headers say otherwise."""
        sent = dict(OURS if headers is None else headers)
        if self.cookie is not None:
            sent["cookie"] = f"{COOKIE}={self.cookie}"
        answer = await self.office.send(method, path, body, caller=None, headers=sent)
        if (set_cookie := answer.headers.get("set-cookie")) is not None:
            self.cookie = set_cookie.partition("=")[2].partition(";")[0].strip('"') or None
        return answer

    async def show_password(self, password: str | None = None) -> httpx2.Response:
        """The first step."""
        body = {"client": self.client, "email": self.email, "password": password or self.password}
        return await self.ask("POST", "/v1/sign-in", body)

    async def challenge(self) -> str:
        """The first step, done right."""
        answer = await self.show_password()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["challenge"])

    async def show_code(self, challenge: str, code: str) -> httpx2.Response:
        """The second step."""
        return await self.ask("POST", "/v1/sign-in/second-factor", {"challenge": challenge, "code": code})

    async def sign_in(self) -> None:
        """Both steps, done right."""
        challenge = await self.challenge()
        answer = await self.show_code(challenge, self.code())
        assert answer.status_code == 200, answer.text

    async def enrol(self, invitation: str, password: str | None = None) -> httpx2.Response:
        """Take an invitation up; the secret goes into the authenticator."""
        body = {"invitation": invitation, "password": password or self.password}
        answer = await self.ask("POST", "/v1/enrolment", body)
        if answer.status_code == 200:
            text = answer.json()["secret"]
            self.secret = base64.b32decode(text + "=" * (-len(text) % 8))
        return answer

    async def confirm(self, invitation: str, code: str | None = None) -> httpx2.Response:
        """Confirm the authenticator."""
        body = {"invitation": invitation, "code": code or self.code()}
        answer = await self.ask("POST", "/v1/enrolment/confirm", body)
        if answer.status_code == 200:
            self.codes = answer.json()["recovery_codes"]
        return answer


def email() -> str:
    """An address that no other test uses."""
    return f"jana.{secrets.token_hex(6)}@example.com"


async def invited(office: Office, *, caller: str = "operator", **given: Any) -> tuple[Person, str]:
    """A person who has not enrolled yet, and the invitation."""
    body = {"name": "Jana Nová", "email": email(), "roles": ["operator"]} | given
    answer = await office.send("POST", "/v1/people", body, caller=caller)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    found = Person(office, told["person"]["id"], told["person"]["client"], told["person"]["email"])
    return found, told["invitation"]


async def enrolled(office: Office, **given: Any) -> Person:
    """A person with a password, an authenticator and recovery codes."""
    person, invitation = await invited(office, **given)
    for answer in (await person.enrol(invitation), await person.confirm(invitation)):
        assert answer.status_code == 200, answer.text
    return person


async def signed_in(office: Office, **given: Any) -> Person:
    """The same, with a session."""
    person = await enrolled(office, **given)
    await person.sign_in()
    return person
