"""People are invited, enrol, get roles and lose them; each change by another, within one client."""

import asyncio
from uuid import UUID

import pytest
from identity_service.domain.person import INVITATION_LIFE
from service_kit.protection import assert_all_routes_protected
from sqlalchemy.exc import DBAPIError

from .office import Office
from .persons import PASSWORD, email, enrolled, invited, signed_in


async def test_every_route_asks_for_something(office: Office) -> None:
    assert_all_routes_protected(office.api)


async def test_a_person_is_read_back_and_listed(office: Office) -> None:
    person, invitation = await invited(office, roles=["auditor", "operator"])
    told = (await office.send("GET", f"/v1/people/{person.id}")).json()
    assert (told["name"], told["email"], told["state"]) == ("Jana Nová", person.email, "invited")
    assert told["roles"] == ["auditor", "operator"]
    found, cursor = [], ""
    while True:
        page = (await office.send("GET", f"/v1/people?limit=1{cursor}")).json()
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert person.id in found
    assert len(found) == len(set(found))
    assert invitation not in str(told)


async def test_nothing_personal_or_secret_is_kept_in_plain(office: Office) -> None:
    person = await enrolled(office)
    everything = []
    for table in (
        "people",
        "password_hashes",
        "totp_secrets",
        "recovery_codes",
        "invitations",
        "sign_in_attempts",
    ):
        rows = await office.rows(f"SELECT to_jsonb(t)::text AS row FROM {table} t")
        everything += [row.row for row in rows]
    kept = "\n".join(everything)
    secrets = (person.email, "Jana", PASSWORD, person.secret.hex(), *person.codes)
    for secret in secrets:
        assert secret not in kept
        assert secret.encode().hex() not in kept


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("roles", []), ("roles", ["king"]), ("name", ""), ("client", "Not A Client")],
)
async def test_what_is_no_person_is_refused_by_its_field(office: Office, field: str, value: object) -> None:
    body = {"name": "Jana Nová", "email": email(), "roles": ["operator"], field: value}
    answer = await office.send("POST", "/v1/people", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(field)


async def test_an_address_is_one_persons_within_a_client(office: Office) -> None:
    person, _ = await invited(office)
    body = {"name": "Another", "email": person.email.upper(), "roles": ["operator"]}
    answer = await office.send("POST", "/v1/people", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert (await office.send("POST", "/v1/people", body, caller="hr")).status_code == 201


@pytest.mark.parametrize(
    ("password", "code"),
    [("7 signs", "password_too_short"), ("password1", "password_breached"), ("x" * 129, "password_too_long")],
)
async def test_a_bad_password_is_not_taken(office: Office, password: str, code: str) -> None:
    person, invitation = await invited(office)
    answer = await person.enrol(invitation, password)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert password not in answer.text
    assert (await person.enrol(invitation)).status_code == 200


async def test_nobody_signs_in_before_the_authenticator_is_confirmed(office: Office) -> None:
    person, invitation = await invited(office)
    await person.enrol(invitation)
    assert (await person.show_password()).status_code == 401
    wrong = await person.confirm(invitation, "000000")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "code_refused")
    assert (await person.confirm(invitation)).status_code == 200
    spent = person.code(later=False)
    assert (await person.show_code(await person.challenge(), spent)).status_code == 401


async def test_an_invitation_opens_once_and_not_for_ever(office: Office) -> None:
    person, invitation = await invited(office)
    await person.enrol(invitation)
    code = person.code()
    answers = await asyncio.gather(*(person.confirm(invitation, code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]
    late, unused = await invited(office)
    office.clock.move(seconds=INVITATION_LIFE.total_seconds())
    answer = await late.enrol(unused)
    assert (answer.status_code, answer.json()["code"]) == (403, "invitation_invalid")


async def test_a_reset_second_factor_asks_for_the_password_that_stays(office: Office) -> None:
    person = await signed_in(office)
    old, codes = person.secret, person.codes
    answer = await office.send("POST", f"/v1/people/{person.id}/second-factor/reset")
    assert answer.status_code == 200, answer.text
    invitation = answer.json()["invitation"]
    assert (await person.ask("GET", "/v1/session")).status_code == 401
    assert (await person.show_password()).status_code == 401
    assert (await person.enrol(invitation, "another password entirely")).status_code == 401
    assert (await person.enrol(invitation)).status_code == 200
    assert (await person.confirm(invitation)).status_code == 200
    assert person.secret != old
    assert (await person.show_code(await person.challenge(), codes[0])).status_code == 401
    await person.sign_in()


async def test_who_is_disabled_comes_back_by_a_new_invitation(office: Office) -> None:
    person = await signed_in(office)
    answer = await office.send("POST", f"/v1/people/{person.id}/disable")
    assert answer.json()["state"] == "disabled"
    assert (await person.ask("GET", "/v1/session")).status_code == 401
    refused = await office.send("POST", f"/v1/people/{person.id}/second-factor/reset")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_person_move")
    invitation = (await office.send("POST", f"/v1/people/{person.id}/invitation")).json()["invitation"]
    assert (await person.enrol(invitation, "quite another password")).status_code == 200
    assert (await person.confirm(invitation)).status_code == 200
    person.password = "quite another password"
    await person.sign_in()


async def test_new_roles_end_the_tokens_with_the_old_ones(office: Office) -> None:
    person = await enrolled(office)
    for roles in (["approver"], ["approver"]):
        answer = await office.send("PUT", f"/v1/people/{person.id}/roles", {"roles": roles})
        assert answer.json()["roles"] == roles
    rows = await office.rows("SELECT kind FROM revocations WHERE subject = :id", id=person.id)
    assert [row.kind for row in rows] == ["person"]


async def test_an_administrator_of_people_makes_no_administrator_of_clients(office: Office) -> None:
    body = {"name": "Jana Nová", "email": email(), "roles": ["admin"]}
    answer = await office.send("POST", "/v1/people", body, caller="hr")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    person, _ = await invited(office, caller="hr")
    answer = await office.send("PUT", f"/v1/people/{person.id}/roles", {"roles": ["admin"]}, caller="hr")
    assert answer.status_code == 403


async def test_people_of_another_client_are_like_none(office: Office) -> None:
    theirs = await enrolled(office)
    absent = UUID(int=0)
    paths = [
        ("GET", ""),
        ("PUT", "/roles"),
        ("POST", "/disable"),
        ("POST", "/invitation"),
        ("POST", "/second-factor/reset"),
        ("GET", "/sessions"),
        ("DELETE", "/sessions"),
        ("DELETE", f"/sessions/{absent}"),
    ]
    for method, path in paths:
        body = {"roles": ["operator"]} if method == "PUT" else None
        told = []
        for person in (theirs.id, absent):
            answer = await office.send(method, f"/v1/people/{person}{path}", body, caller="tenant")
            assert answer.status_code == 404, (method, path, answer.text)
            told.append({**answer.json(), "trace_id": None})
        assert told[0] == told[1]
    listed = (await office.send("GET", "/v1/people?limit=200", caller="tenant")).json()["items"]
    assert theirs.id not in {one["id"] for one in listed}
    elsewhere = {"name": "Jana", "email": email(), "roles": ["operator"], "client": "operator"}
    assert (await office.send("POST", "/v1/people", elsewhere, caller="tenant")).status_code == 404


async def test_staff_invites_people_of_registered_clients(office: Office) -> None:
    client = await office.register()
    person, _ = await invited(office, client=client, roles=["client"])
    assert person.client == client
    nowhere = {"name": "Jana", "email": email(), "roles": ["client"], "client": "no-such-client"}
    assert (await office.send("POST", "/v1/people", nowhere)).status_code == 404


async def test_nobody_invites_themselves_past_the_database(office: Office) -> None:
    person = await enrolled(office)
    with pytest.raises(DBAPIError):
        async with office.parts.database.transaction() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO invitations (id, person_id, digest, purpose, issued_by, issued_at, expires_at) "
                "VALUES ($1, $1, $2, 'join', $3, now(), now() + interval '1 day')",
                (UUID(person.id), bytes(32), f"person:{person.id}"),
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE totp_secrets SET last_step = 0 WHERE person_id = $1",
        "UPDATE recovery_codes SET spent_at = NULL WHERE person_id = $1 AND spent_at IS NOT NULL",
        "UPDATE people SET state = 'active' WHERE id = $1 AND state = 'disabled'",
        "DELETE FROM people WHERE id = $1",
        "UPDATE people SET client_id = 'other' WHERE id = $1",
        "DELETE FROM sign_in_attempts WHERE person_id = $1",
    ],
)
async def test_the_database_takes_nothing_back(office: Office, statement: str) -> None:
    person = await enrolled(office)
    await person.show_code(await person.challenge(), person.codes[0])
    if "disabled" in statement:
        await office.send("POST", f"/v1/people/{person.id}/disable")
    with pytest.raises(DBAPIError):
        async with office.parts.database.transaction() as connection:
            await connection.exec_driver_sql(statement, (UUID(person.id),))


async def test_only_administrators_see_people(office: Office) -> None:
    answer = await office.send("GET", "/v1/people", caller="stranger")
    assert answer.status_code == 403
    assert (await office.send("POST", "/v1/people", {}, caller=None)).status_code == 401
