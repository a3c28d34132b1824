"""A person chooses another password, by the old one and a fresh second factor; everybody else is out."""

import asyncio

import httpx2
import pytest
from identity_service.domain.session import FRESH

from .office import Office
from .persons import PASSWORD, Person, enrolled, signed_in
from .test_sessions import another_browser, gone, revocations

BETTER = "three herons under a bridge"


async def change(person: Person, current: str = PASSWORD, wanted: str = BETTER) -> httpx2.Response:
    body = {"current_password": current, "password": wanted}
    return await person.ask("POST", "/v1/session/password", body)


async def test_the_new_password_opens_and_the_old_one_does_not(office: Office) -> None:
    person = await signed_in(office)
    before = person.cookie
    answer = await change(person)
    assert answer.status_code == 200, answer.text
    assert person.cookie not in (before, None)
    assert not await gone(person)
    assert (await person.show_password(PASSWORD)).status_code == 401
    assert (await person.show_password(BETTER)).status_code == 200


async def test_every_other_session_and_all_tokens_end(office: Office) -> None:
    """By the record too: what Redis still holds, or holds again, opens nothing."""
    person = await signed_in(office)
    other, old_cookie = await another_browser(person), person.cookie
    found = await office.door.sessions.find(str(old_cookie))
    assert found is not None
    assert (await change(person)).status_code == 200
    assert await revocations(office, person) == 1
    assert await gone(other)
    thief = Person(office, person.id, person.client, person.email, cookie=old_cookie)
    assert await gone(thief)
    thief.cookie = await office.door.sessions.begin(found)
    assert await gone(thief)
    assert not await gone(person)


async def test_a_second_factor_of_long_ago_does_not_do(office: Office) -> None:
    person = await signed_in(office)
    office.clock.move(seconds=FRESH.total_seconds() + 1)
    stale = await change(person)
    assert (stale.status_code, stale.json()["code"]) == (401, "insufficient_user_authentication")
    await person.ask("POST", "/v1/session/second-factor", {"code": person.code()})
    assert (await change(person)).status_code == 200


async def test_the_old_password_is_asked_for_and_guessing_it_is_slow(office: Office) -> None:
    """By the same count as at the front door."""
    person = await signed_in(office)
    statuses = [(await change(person, current=f"{PASSWORD}{number}")).status_code for number in range(20)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert (await person.show_password(PASSWORD)).status_code == 429
    rows = await office.rows(
        "SELECT outcome FROM sign_in_attempts WHERE person_id = :person AND step = 'password' ORDER BY id",
        person=person.id,
    )
    assert [row.outcome for row in rows].count("refused") == statuses.count(401)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("short", "password_too_short"),
        ("x" * 129, "password_too_long"),
        ("password1234", "password_breached"),
        (PASSWORD, "password_unchanged"),
    ],
    ids=["short", "long", "breached", "unchanged"],
)
async def test_a_bad_password_is_not_taken_and_nothing_ends(office: Office, wanted: str, code: str) -> None:
    person = await signed_in(office)
    answer = await change(person, wanted=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["field"] == "password"
    assert not await gone(person)
    assert (await person.show_password(PASSWORD)).status_code == 200


async def test_of_two_changes_at_once_one_is_made(office: Office) -> None:
    """Two browsers, two new passwords: the one that was told it is done is the one that opens."""
    person = await enrolled(office)
    await person.sign_in()
    other = await another_browser(person)
    wanted = [BETTER, f"{BETTER} again"]
    answers = await asyncio.gather(change(person, wanted=wanted[0]), change(other, wanted=wanted[1]))
    done = [password for password, answer in zip(wanted, answers, strict=True) if answer.is_success]
    assert len(done) == 1, [answer.text for answer in answers]
    for password in wanted:
        expected = 200 if password in done else 401
        assert (await person.show_password(password)).status_code == expected


async def test_nobody_changes_a_password_without_a_session(office: Office) -> None:
    person = await enrolled(office)
    assert (await change(person)).status_code == 401
