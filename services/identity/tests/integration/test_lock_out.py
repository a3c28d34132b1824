"""Guessing is slowed down by account and by address, counted before anything is looked at; without Redis
nobody is let in."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from florin.backing.redis import Redis
from identity_service.domain.session import Session
from identity_service.domain.sign_in import BY_ACCOUNT, BY_ADDRESS, SignInLocked, SignInUnavailable
from identity_service.persistence.lock_out import LockOut
from identity_service.persistence.sessions import Sessions
from identity_service.persistence.short_memory import ShortMemory
from service_kit.ids import uuid7
from testkit.waiting import eventually

from .office import Office
from .persons import Person, email, enrolled, signed_in

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FREE = BY_ACCOUNT.pauses_s.index(15) + 1


def address() -> str:
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


async def test_guesses_at_a_password_are_locked_out_right_or_wrong(office: Office) -> None:
    person = await enrolled(office)
    office.clock.move()
    for _ in range(FREE):
        assert (await person.show_password("not the password")).status_code == 401
    answer = await person.show_password()
    assert (answer.status_code, answer.json()["code"]) == (429, "sign_in_locked")
    assert 0 < int(answer.headers["retry-after"]) <= 15
    office.clock.move(seconds=15)
    assert (await person.show_password()).status_code == 200


async def test_who_does_not_exist_is_locked_out_like_who_does(office: Office) -> None:
    nobody = Person(office, "", "operator", email())
    office.clock.move()
    statuses = [(await nobody.show_password()).status_code for _ in range(FREE + 1)]
    assert statuses == [401] * FREE + [429]


async def test_fifty_guesses_at_once_are_few_looks(office: Office) -> None:
    person = await enrolled(office)
    office.clock.move()
    answers = await asyncio.gather(*(person.show_password("not the password") for _ in range(50)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (FREE, 50 - FREE)
    looks = "SELECT 1 FROM sign_in_attempts WHERE person_id = :id AND outcome = 'refused'"
    assert len(await office.rows(looks, id=UUID(person.id))) == FREE


async def test_knowing_the_password_buys_no_more_guesses_at_the_code(office: Office) -> None:
    person = await enrolled(office)
    office.clock.move()
    for _ in range(FREE):
        assert (await person.show_code(await person.challenge(), "000000")).status_code == 401
    challenge = await person.challenge()
    assert (await person.show_code(challenge, person.code(later=False))).status_code == 429


async def test_step_up_and_sign_in_count_guesses_together(office: Office) -> None:
    person = await signed_in(office)
    office.clock.move()
    for _ in range(FREE):
        answer = await person.ask("POST", "/v1/session/second-factor", {"code": "000000"})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")
    assert (await person.show_code(await person.challenge(), "000000")).status_code == 429


async def test_pauses_grow_and_a_success_ends_them(redis_url: str) -> None:
    memory, account, where, now = ShortMemory(redis_url), secrets.token_hex(8), address(), NOON
    lock_out = LockOut(memory)
    pauses = []
    for attempt in range(1, 14):
        await lock_out.enter(account, where, now=now)
        pause = BY_ACCOUNT.pause_s(attempt)
        pauses.append(pause)
        if pause:
            with pytest.raises(SignInLocked) as locked:
                await lock_out.enter(account, where, now=now + timedelta(seconds=pause - 1))
            assert locked.value.retry_after_s == 1
        now += timedelta(seconds=pause)
    assert pauses == sorted(pauses)
    await lock_out.succeeded(account, where)
    for _ in range(FREE):
        await lock_out.enter(account, where, now=now)
    await memory.close()


async def test_one_address_tries_few_accounts_and_ones_own_success_does_not_help(redis_url: str) -> None:
    memory, where = ShortMemory(redis_url), address()
    lock_out, free = LockOut(memory), BY_ADDRESS.pauses_s.index(15) + 1
    own = secrets.token_hex(8)
    for _ in range(free):
        await lock_out.enter(secrets.token_hex(8), where, now=NOON)
    with pytest.raises(SignInLocked):
        await lock_out.enter(own, where, now=NOON)
    await lock_out.enter(own, where, now=NOON + timedelta(seconds=15))
    await lock_out.succeeded(own, where)
    with pytest.raises(SignInLocked):
        await lock_out.enter(secrets.token_hex(8), where, now=NOON + timedelta(seconds=16))
    await lock_out.enter(secrets.token_hex(8), address(), now=NOON)
    await memory.close()


async def test_without_redis_nobody_is_let_in_until_it_is_back(own_redis: Redis) -> None:
    memory = ShortMemory(own_redis.url)
    lock_out, sessions = LockOut(memory), Sessions(memory)
    person = uuid7()
    session = Session(
        id=uuid7(),
        person_id=person,
        client_id="operator",
        begun_at=NOON,
        second_factor_at=NOON,
        seen_at=NOON,
        address="192.0.2.7",
        agent="",
    )
    text = await sessions.begin(session)
    own_redis.kill()
    for asked in (
        lambda: lock_out.enter("account", "192.0.2.7", now=NOON),
        lambda: sessions.find(text),
        lambda: sessions.begin(session),
        lambda: sessions.end(person, session.id),
    ):
        with pytest.raises(SignInUnavailable):
            await asked()
    own_redis.start()

    async def back() -> bool:
        try:
            return await sessions.of(person, now=NOON) is not None
        except SignInUnavailable:
            return False

    assert await eventually(back, timeout_s=30)
    await memory.close()


async def test_a_service_without_redis_answers_sign_in_unavailable(office_without_redis: Office) -> None:
    office = office_without_redis
    nobody = Person(office, "", "operator", email())
    nobody.cookie = "x" * 43
    for answer in (await nobody.show_password(), await nobody.ask("GET", "/v1/session")):
        assert (answer.status_code, answer.json()["code"]) == (503, "sign_in_unavailable")
        assert int(answer.headers["retry-after"]) > 0
