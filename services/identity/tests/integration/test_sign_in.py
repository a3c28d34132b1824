"""Signing in: two steps, each needed, each code once, and the same words for whoever is refused."""

import asyncio
from uuid import UUID

import httpx2
import pytest
from identity_service.domain import totp
from identity_service.persistence.factors import load_totp, spend_step
from identity_service.persistence.people import load_person

from .office import Office
from .persons import Person, email, enrolled, invited, signed_in


async def test_two_steps_lead_to_a_session(office: Office) -> None:
    person = await signed_in(office)
    answer = await person.ask("GET", "/v1/session")
    assert answer.status_code == 200, answer.text
    assert answer.json()["person"]["id"] == person.id
    assert answer.json()["session"]["current"] is True


async def test_the_cookie_is_for_this_host_alone_and_no_script(office: Office) -> None:
    person = await enrolled(office)
    answer = await person.show_code(await person.challenge(), person.code())
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-florin_session=")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


async def test_unknown_wrong_invited_and_disabled_are_refused_alike(office: Office) -> None:
    known, (newcomer, _), gone = await enrolled(office), await invited(office), await enrolled(office)
    await office.send("POST", f"/v1/people/{gone.id}/disable")
    stranger = Person(office, "", known.client, email())
    elsewhere = Person(office, "", "another-client", known.email)
    answers = [
        await known.show_password("not the password"),
        *[await one.show_password() for one in (newcomer, gone, stranger, elsewhere)],
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content.replace(_trace(answer), b"") for answer in answers}) == 1


def _trace(answer: httpx2.Response) -> bytes:
    return str(answer.json()["trace_id"]).encode()


async def test_a_password_is_checked_for_nobody_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = office.door.passwords
    seen: list[str | None] = []
    verified = passwords.verified

    async def counting(kept: str | None, password: str) -> bool:
        seen.append(kept)
        return await verified(kept, password)

    monkeypatch.setattr(passwords, "verified", counting)
    known = await enrolled(office)
    await known.show_password("not the password")
    await Person(office, "", known.client, email()).show_password()
    assert len(seen) == 2
    assert passwords._matches(passwords._nobodys, "nobody has this password")


async def test_the_second_step_without_the_first_is_refused(office: Office) -> None:
    person = await enrolled(office)
    answer = await person.show_code("made up", person.code())
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")
    person.cookie = await person.challenge()
    assert (await person.ask("GET", "/v1/session")).json()["code"] == "session_ended"


async def test_a_code_opens_once_in_its_window(office: Office) -> None:
    person = await enrolled(office)
    code = person.code()
    assert (await person.show_code(await person.challenge(), code)).status_code == 200
    again = await person.show_code(await person.challenge(), code)
    assert (again.status_code, again.json()["code"]) == (401, "sign_in_refused")


async def test_a_code_from_before_a_used_one_is_spent(office: Office) -> None:
    person = await enrolled(office)
    earlier = person.code()
    later = person.code()
    assert (await person.show_code(await person.challenge(), later)).status_code == 200
    assert (await person.show_code(await person.challenge(), earlier)).status_code == 401


async def test_fifty_at_once_with_one_code_are_one_success(office: Office) -> None:
    person = await enrolled(office)
    challenges = [await person.challenge() for _ in range(50)]
    code = person.code()
    answers = await asyncio.gather(*(person.show_code(challenge, code) for challenge in challenges))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert statuses.count(401) + statuses.count(429) == 49


async def test_fifty_at_once_past_the_counting_spend_a_step_once(office: Office) -> None:
    """The database alone holds it, whatever the counting lets through."""
    person = await enrolled(office)
    person.code()
    at_once, step = asyncio.Semaphore(20), totp.step_at(office.clock.now())
    async with office.parts.database.snapshot() as connection:
        sealed = await load_person(connection, office.door.directory, UUID(person.id))
        assert sealed is not None
        secret = await load_totp(connection, sealed.key, UUID(person.id))
        assert secret is not None

    async def spend() -> bool:
        async with at_once, office.parts.database.transaction() as connection:
            return await spend_step(connection, secret, step)

    assert sum(await asyncio.gather(*(spend() for _ in range(50)))) == 1


async def test_a_recovery_code_opens_once(office: Office) -> None:
    person = await enrolled(office)
    assert len(person.codes) == 10
    spelled = person.codes[3].lower().replace("-", " ")
    assert (await person.show_code(await person.challenge(), spelled)).status_code == 200
    assert (await person.show_code(await person.challenge(), person.codes[3])).status_code == 401
    assert (await person.show_code(await person.challenge(), person.codes[4])).status_code == 200


async def test_a_challenge_leads_to_one_session(office: Office) -> None:
    person = await enrolled(office)
    challenge = await person.challenge()
    assert (await person.show_code(challenge, person.code())).status_code == 200
    assert (await person.show_code(challenge, person.code())).status_code == 401


async def test_a_planted_session_is_not_taken_over(office: Office) -> None:
    attacker, victim = await signed_in(office), await enrolled(office)
    planted = attacker.cookie
    victim.cookie = planted
    await victim.sign_in()
    assert victim.cookie != planted
    assert (await attacker.ask("GET", "/v1/session")).status_code == 401


async def test_a_made_up_session_is_not_adopted(office: Office) -> None:
    person = await enrolled(office)
    person.cookie = "x" * 43
    await person.sign_in()
    assert person.cookie != "x" * 43


async def test_attempts_are_written_down_without_what_was_typed(office: Office) -> None:
    person = await enrolled(office)
    await person.show_password("not the password")
    await person.sign_in()
    rows = await office.rows(
        "SELECT step, outcome FROM sign_in_attempts WHERE person_id = :id ORDER BY id", id=UUID(person.id)
    )
    assert [tuple(row) for row in rows] == [
        ("password", "refused"),
        ("password", "passed"),
        ("totp", "passed"),
    ]


async def test_another_sites_page_signs_nobody_in(office: Office) -> None:
    person = await signed_in(office)
    for headers in (
        {},
        {"x-florin-request": "1", "origin": "https://evil.example"},
        {"x-florin-request": "1", "origin": "null"},
        {"x-florin-request": "1", "sec-fetch-site": "cross-site"},
        {"x-florin-request": "1", "sec-fetch-site": "same-site"},
    ):
        for path in ("/v1/sign-in", "/v1/session/recovery-codes", "/v1/session/second-factor"):
            answer = await person.ask("POST", path, {}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request"), (path, headers)
    ours = {"x-florin-request": "1", "origin": "http://identity", "sec-fetch-site": "same-origin"}
    assert (await person.ask("GET", "/v1/session", headers=ours)).status_code == 200
