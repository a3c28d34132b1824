"""Sessions: rotated, listed, revoked at once, and ended by the clock and by whoever may."""

from uuid import UUID

from identity_service.domain.session import FRESH, IDLE, LIFE
from redis.asyncio import Redis
from service_kit.access import ROLES, Role

from .office import Office
from .persons import Person, enrolled, signed_in
from .test_tokens import part, verify


async def gone(person: Person) -> bool:
    answer = await person.ask("GET", "/v1/session")
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 401


async def revocations(office: Office, person: Person) -> int:
    rows = await office.rows(
        "SELECT 1 FROM revocations WHERE kind = 'person' AND subject = :subject", subject=person.id
    )
    return len(rows)


async def another_browser(person: Person) -> Person:
    other = Person(person.office, person.id, person.client, person.email, secret=person.secret)
    await other.sign_in()
    return other


async def test_step_up_goes_on_under_another_cookie(office: Office) -> None:
    person = await signed_in(office)
    before = person.cookie
    answer = await person.ask("POST", "/v1/session/second-factor", {"code": person.code()})
    assert answer.status_code == 200, answer.text
    assert person.cookie not in (before, None)
    assert not await gone(person)
    person.cookie = before
    assert await gone(person)


async def test_new_recovery_codes_ask_for_a_fresh_second_factor(office: Office) -> None:
    person = await signed_in(office)
    office.clock.move(seconds=FRESH.total_seconds() + 1)
    stale = await person.ask("POST", "/v1/session/recovery-codes")
    assert (stale.status_code, stale.json()["code"]) == (401, "insufficient_user_authentication")
    await person.ask("POST", "/v1/session/second-factor", {"code": person.code()})
    renewed = await person.ask("POST", "/v1/session/recovery-codes")
    assert renewed.status_code == 200, renewed.text
    assert (await person.show_code(await person.challenge(), person.codes[0])).status_code == 401
    code = renewed.json()["recovery_codes"][0]
    assert (await person.show_code(await person.challenge(), code)).status_code == 200


async def test_signing_out_ends_the_session_and_the_tokens(office: Office) -> None:
    person = await signed_in(office)
    held = person.cookie
    answer = await person.ask("DELETE", "/v1/session")
    assert answer.status_code == 204
    assert person.cookie is None
    person.cookie = held
    assert await gone(person)
    assert await revocations(office, person) == 1


async def test_sessions_are_listed_and_one_is_ended_at_once(office: Office) -> None:
    here = await signed_in(office)
    there = await another_browser(here)
    listed = (await here.ask("GET", "/v1/sessions")).json()["items"]
    assert [one["current"] for one in listed] == [False, True]
    assert (await here.ask("DELETE", f"/v1/sessions/{listed[0]['id']}")).status_code == 204
    assert await gone(there)
    assert not await gone(here)
    assert len((await here.ask("GET", "/v1/sessions")).json()["items"]) == 1


async def test_another_persons_session_is_like_none(office: Office) -> None:
    mine, theirs = await signed_in(office), await signed_in(office)
    other = (await theirs.ask("GET", "/v1/session")).json()["session"]["id"]
    absent = UUID(int=0)
    answers = [await mine.ask("DELETE", f"/v1/sessions/{one}") for one in (other, absent)]
    assert [answer.status_code for answer in answers] == [404, 404]
    told = [{**answer.json(), "trace_id": None} for answer in answers]
    assert told[0] == told[1]
    assert not await gone(theirs)


async def test_an_administrator_signs_a_person_out_everywhere(office: Office) -> None:
    here = await signed_in(office)
    there = await another_browser(here)
    assert len((await office.send("GET", f"/v1/people/{here.id}/sessions")).json()["items"]) == 2
    assert (await office.send("DELETE", f"/v1/people/{here.id}/sessions")).status_code == 204
    assert await gone(here)
    assert await gone(there)
    await here.sign_in()
    assert not await gone(here)


async def test_an_administrator_ends_one_session(office: Office) -> None:
    here = await signed_in(office)
    there = await another_browser(here)
    [newest, _] = (await office.send("GET", f"/v1/people/{here.id}/sessions")).json()["items"]
    path = f"/v1/people/{here.id}/sessions/{newest['id']}"
    assert (await office.send("DELETE", path)).status_code == 204
    assert (await office.send("DELETE", path)).status_code == 404
    assert await gone(there)
    assert not await gone(here)


async def test_what_redis_still_holds_opens_nothing_once_the_record_says_so(office: Office) -> None:
    person = await signed_in(office)
    office.clock.move(seconds=1)
    async with office.parts.database.transaction() as connection:
        await connection.exec_driver_sql(
            "UPDATE people SET sessions_since = $1 WHERE id = $2", (office.clock.now(), UUID(person.id))
        )
    assert await gone(person)


async def test_a_session_ends_when_idle_and_when_old(office: Office) -> None:
    person = await signed_in(office)
    office.clock.move(seconds=IDLE.total_seconds() - 1)
    assert not await gone(person)
    office.clock.move(seconds=IDLE.total_seconds())
    assert await gone(person)
    busy = await signed_in(office)
    for _ in range(int(LIFE / IDLE * 2) - 1):
        office.clock.move(seconds=IDLE.total_seconds() / 2)
        assert not await gone(busy)
    office.clock.move(seconds=IDLE.total_seconds() / 2)
    assert await gone(busy)


async def test_what_opens_a_session_is_kept_nowhere(office: Office, redis_url: str) -> None:
    person = await signed_in(office)
    assert person.cookie is not None
    redis = Redis.from_url(redis_url, decode_responses=True)
    keys = [key async for key in redis.scan_iter("florin:identity:*")]
    assert any(key.startswith("florin:identity:session:") for key in keys)
    assert not any(person.cookie in key for key in keys)
    for key in keys:
        if await redis.type(key) == "string":
            assert person.cookie not in (await redis.get(key) or "")
    await redis.aclose()


async def test_no_cookie_is_no_session(office: Office) -> None:
    person = await enrolled(office)
    answer = await person.ask("GET", "/v1/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


async def test_a_session_becomes_a_token_of_the_persons_roles(office: Office) -> None:
    person = await signed_in(office, roles=["auditor"])
    begun = office.clock.now()
    office.clock.move(minutes=1)
    await person.ask("POST", "/v1/session/second-factor", {"code": person.code()})
    answer = await person.ask("POST", "/v1/session/token")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    claims = part(answer.json()["access_token"], 1)
    await verify(office, answer.json()["access_token"])
    assert (claims["sub"], claims["client_id"]) == (f"person:{person.id}", person.client)
    assert set(claims["scope"].split()) == ROLES[Role.AUDITOR]
    assert (claims["auth_time"], claims["amr"]) == (int(begun.timestamp()), ["pwd", "otp"])
    assert claims["second_factor_at"] == int(office.clock.now().timestamp())


async def test_a_token_asks_for_a_session_and_our_own_page(office: Office) -> None:
    person = await signed_in(office)
    foreign = await person.ask("POST", "/v1/session/token", headers={})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_site_request")
    await office.send("POST", f"/v1/people/{person.id}/disable")
    ended = await person.ask("POST", "/v1/session/token")
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
