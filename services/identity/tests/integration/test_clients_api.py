"""Clients are registered by Florin's staff, and seen by them and by themselves."""

from .office import Office, client_id


async def test_a_client_is_registered_once_and_a_retry_finds_it(office: Office) -> None:
    body = {"id": client_id(), "name": "A shop", "scopes": ["payments:write", "payments:read"]}
    first = await office.send("POST", "/v1/clients", body)
    again = await office.send("POST", "/v1/clients", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["status"] == "active"
    assert (await office.send("GET", first.headers["location"])).json() == first.json()
    changes = (await office.send("GET", f"/v1/clients/{body['id']}/changes")).json()["items"]
    assert [(one["change"], one["author"]) for one in changes] == [("registered", "client:operator")]


async def test_another_registration_under_the_same_id_is_refused(office: Office) -> None:
    registered = await office.register("payments:read")
    body = {"id": registered, "name": "Another", "scopes": ["payments:read"]}
    answer = await office.send("POST", "/v1/clients", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "client_exists")


async def test_what_is_no_registration_is_refused_by_its_field(office: Office) -> None:
    good = {"id": client_id(), "name": "A shop", "scopes": ["payments:read"]}
    for field, value in (("id", "Shop!"), ("name", "a\u202eb"), ("scopes", ["everything"]), ("scopes", [])):
        answer = await office.send("POST", "/v1/clients", {**good, field: value})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(field)


async def test_a_tenants_administrator_sees_its_own_client_and_registers_none(office: Office) -> None:
    other = await office.register()
    answer = await office.send(
        "POST", "/v1/clients", {"id": client_id(), "name": "x", "scopes": ["rules:read"]}, caller="tenant"
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    foreign = await office.send("GET", f"/v1/clients/{other}", caller="tenant")
    absent = await office.send("GET", f"/v1/clients/{client_id()}", caller="tenant")
    assert foreign.status_code == absent.status_code == 404
    assert {**foreign.json(), "trace_id": None} == {**absent.json(), "trace_id": None}
    assert (await office.send("GET", f"/v1/clients/{other}/changes", caller="tenant")).status_code == 404
    if not await office.rows("SELECT 1 FROM clients WHERE id = 'tenant'"):
        await office.register(named="tenant")
    listed = (await office.send("GET", "/v1/clients", caller="tenant")).json()["items"]
    assert [one["id"] for one in listed] == ["tenant"]


async def test_pages_hold_each_client_once(office: Office) -> None:
    registered = {await office.register() for _ in range(5)}
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await office.send("GET", "/v1/clients", params=query)).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query = {"limit": 2, "cursor": page["next_cursor"]}
    assert seen == sorted(set(seen))
    assert registered <= set(seen)
