"""The API's edges: what is refused, by which code, and that no client sees another's."""

from typing import Any
from uuid import uuid4

import pytest
from notification_service.domain.target import TargetPolicy
from service_kit.protection import assert_all_routes_protected

from .receiver import Receiver
from .stage import ALL, Stage

PATH = "/v1/webhook-endpoints"
ABSENT = "00000000-0000-0000-0000-000000000001"


async def test_endpoint_is_registered_read_changed_and_listed(stage: Stage, receiver: Receiver) -> None:
    made = await stage.register(receiver.url(), "payment.settled", description="ERP")
    assert made["secret"].startswith("whsec_")
    assert made["status"] == "active"
    read = await stage.endpoint(made["id"])
    assert read == {k: v for k, v in made.items() if k != "secret"}
    changed = await stage.api.patch(
        f"{PATH}/{made['id']}", json={"event_types": ["payment.rejected"], "description": None}
    )
    assert (changed.json()["event_types"], changed.json()["description"]) == (["payment.rejected"], None)
    assert changed.json()["url"] == made["url"]
    listed = (await stage.api.get(PATH)).json()
    assert listed == {"items": [changed.json()], "next_cursor": None}


async def test_lists_page_through_everything_once(stage: Stage, receiver: Receiver) -> None:
    for n in range(5):
        await stage.register(receiver.url(f"/{n}"))
    await stage.hear(stage.event())
    for path, total in ((PATH, 5), ("/v1/webhook-deliveries", 5)):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = (await stage.api.get(path, params=query)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert len(seen) == len(set(seen)) == total


async def test_another_clients_things_answer_as_absent(stage: Stage, receiver: Receiver) -> None:
    made = await stage.register(receiver.url())
    await stage.hear(stage.event())
    [delivery] = await stage.deliveries()
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"{PATH}/{{}}", None),
        ("PATCH", f"{PATH}/{{}}", {"description": "mine now"}),
        ("DELETE", f"{PATH}/{{}}", None),
        ("POST", f"{PATH}/{{}}/enable", None),
        ("POST", f"{PATH}/{{}}/secret/rotations", {}),
        ("POST", f"{PATH}/{{}}/test", None),
        ("POST", f"{PATH}/{{}}/replay", {"since": "2026-01-01T00:00:00Z"}),
    ]
    for method, path, body in requests:
        foreign = await stage.other.request(method, path.format(made["id"]), json=body)
        absent = await stage.other.request(method, path.format(uuid4()), json=body)
        assert foreign.status_code == absent.status_code == 404, (method, path)
        assert _without_trace(foreign.json()) == _without_trace(absent.json())
    for method, path in (("GET", "/v1/webhook-deliveries/{}"), ("POST", "/v1/webhook-deliveries/{}/retry")):
        foreign = await stage.other.request(method, path.format(delivery["id"]))
        absent = await stage.other.request(method, path.format(uuid4()))
        assert foreign.status_code == 404
        assert _without_trace(foreign.json()) == _without_trace(absent.json())
    for query in ({}, {"endpoint": made["id"]}, {"payment": delivery["payment_id"]}):
        listed = await stage.other.get("/v1/webhook-deliveries", params=query)
        assert listed.json()["items"] == []
    assert await stage.endpoint(made["id"]) == {k: v for k, v in made.items() if k != "secret"}


def _without_trace(problem: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in problem.items() if k != "trace_id"}


async def test_deliveries_are_filtered_by_endpoint_payment_and_status(
    stage: Stage, receiver: Receiver
) -> None:
    first = await stage.register(receiver.url("/1"))
    await stage.register(receiver.url("/2"))
    events = [stage.event(), stage.event()]
    await stage.hear(*events)
    assert len(await stage.deliveries()) == 4
    assert len(await stage.deliveries(endpoint=first["id"])) == 2
    assert len(await stage.deliveries(payment=str(events[0].data.payment_id))) == 2
    assert len(await stage.deliveries(endpoint=first["id"], payment=str(events[0].data.payment_id))) == 1
    assert await stage.deliveries(status="failed") == []


GOOD = {"url": "https://hooks.example.com/in", "event_types": ["payment.settled"]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": 7}, "url"),
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": "https://a.example/" + "x" * 2_048}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["payment.lost"]}, "event_types.0"),
        ({"event_types": "payment.settled"}, "event_types"),
        ({"event_types": ["ping"]}, "event_types.0"),
        ({"event_types": ["payment.settled"] * 7}, "event_types"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\nb"}, "description"),
        ({"description": 1}, "description"),
        ({"status": "active"}, "status"),
        ({"client_id": "other"}, "client_id"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_bad_field_is_named_and_nothing_is_made(
    stage: Stage, change: dict[str, Any], field: str
) -> None:
    answer = await stage.api.post(PATH, json=GOOD | change)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert (await stage.api.get(PATH)).json()["items"] == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (
            b'{"url": "https://a.example", "url": "https://b.example", "event_types": ["payment.settled"]}',
            400,
        ),
        (b'{"url": "https://a.example/\\u0000", "event_types": ["payment.settled"]}', 400),
        (b'{"url": "https://a.example/\\ud800", "event_types": ["payment.settled"]}', 400),
        (b'{"url":', 400),
        (b"\xff\xfe", 400),
        (b"[" * 10_000, 400),
    ],
)
async def test_unreadable_body_is_refused(stage: Stage, raw: bytes, status: int) -> None:
    answer = await stage.api.post(PATH, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code in (status, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{PATH}/nonsense", None, 422),
        ("GET", f"{PATH}?limit=0", None, 422),
        ("GET", f"{PATH}?limit=201", None, 422),
        ("GET", f"{PATH}?limit=1e9", None, 422),
        ("GET", f"{PATH}?cursor=nonsense", None, 400),
        ("GET", "/v1/webhook-deliveries?cursor=AAAA", None, 400),
        ("GET", "/v1/webhook-deliveries?status=lost", None, 422),
        ("GET", "/v1/webhook-deliveries?payment='--", None, 422),
        ("POST", f"{PATH}/{ABSENT}/replay", {}, 422),
        ("POST", f"{PATH}/{ABSENT}/replay", {"since": 0}, 422),
        ("POST", f"{PATH}/{ABSENT}/replay", {"since": "2026-01-01T00:00:00"}, 422),
        ("POST", f"{PATH}/{ABSENT}/replay", {"since": "0001-01-01T00:00:00+14:00"}, 422),
        ("POST", f"{PATH}/{ABSENT}/replay", {"since": "9999-12-31T23:59:59-14:00"}, 422),
        (
            "POST",
            f"{PATH}/{ABSENT}/replay",
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            422,
        ),
        ("POST", f"{PATH}/{ABSENT}/secret/rotations", {"overlap_s": -1}, 422),
        ("POST", f"{PATH}/{ABSENT}/secret/rotations", {"overlap_s": 1.5}, 422),
        ("POST", f"{PATH}/{ABSENT}/secret/rotations", {"overlap_s": True}, 422),
        ("PATCH", f"{PATH}/{ABSENT}", {"url": None}, 422),
        ("PATCH", f"{PATH}/{ABSENT}", {"status": "active"}, 422),
    ],
)
async def test_bad_request_gets_its_code_and_no_5xx(
    stage: Stage, method: str, path: str, body: Any, status: int
) -> None:
    answer = await stage.api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == {400: "invalid_cursor", 422: "invalid_request"}[status]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.com/", "webhook_url_not_https"),
        ("ftp://hooks.example.com/", "webhook_url_not_https"),
        ("https://user:secret@hooks.example.com/", "webhook_url_has_credentials"),
        ("https://hooks.example.com:22/", "webhook_port_not_allowed"),
        ("https://hooks.example.com/#here", "webhook_url_invalid"),
        ("https://127.0.0.1/", "webhook_host_not_public"),
        ("https://[::ffff:127.0.0.1]/", "webhook_host_not_public"),
        ("https://2130706433/", "webhook_url_invalid"),
        ("https://localhost/", "webhook_host_not_public"),
        ("https://inside.example.com/", "webhook_host_not_public"),
        ("https://mixed.example.com/", "webhook_host_not_public"),
        ("https://nowhere.example.com/", "webhook_host_not_public"),
    ],
)
async def test_url_that_must_not_be_called_is_refused_with_its_reason(
    strict_stage: Stage, url: str, code: str
) -> None:
    strict_stage.names.answers = {
        "inside.example.com": [["10.0.0.1"]],
        "mixed.example.com": [["8.8.8.8", "169.254.169.254"]],
    }
    answer = await strict_stage.api.post(PATH, json=GOOD | {"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["field"] == "url"
    strict_stage.names.answers |= {"hooks.example.com": [["8.8.8.8"]]}
    made = await strict_stage.register(GOOD["url"])  # type: ignore[arg-type]
    moved = await strict_stage.api.patch(f"{PATH}/{made['id']}", json={"url": url})
    assert (moved.status_code, moved.json()["code"]) == (422, code)


async def test_one_url_makes_one_endpoint(stage: Stage, receiver: Receiver) -> None:
    first = await stage.register(receiver.url())
    again = await stage.api.post(PATH, json={"url": receiver.url(), "event_types": list(ALL)})
    assert (again.status_code, again.json()["code"]) == (409, "webhook_endpoint_exists")
    assert again.json()["endpoint_id"] == first["id"]
    await stage.api.delete(f"{PATH}/{first['id']}")
    await stage.register(receiver.url())
    back = await stage.api.post(f"{PATH}/{first['id']}/enable")
    assert (back.status_code, back.json()["code"]) == (409, "webhook_endpoint_exists")


async def test_endpoints_of_a_client_are_bounded_removed_ones_too(stage: Stage, receiver: Receiver) -> None:
    """Five in use and eight in all, as this stage is configured."""
    made = [await stage.register(receiver.url(f"/{n}")) for n in range(5)]
    sixth = await stage.api.post(PATH, json={"url": receiver.url("/6"), "event_types": list(ALL)})
    assert (sixth.status_code, sixth.json()["code"]) == (409, "webhook_endpoint_limit")
    for n, endpoint in enumerate(made[:3]):
        await stage.api.delete(f"{PATH}/{endpoint['id']}")
        await stage.register(receiver.url(f"/again{n}"))
    await stage.api.delete(f"{PATH}/{made[3]['id']}")
    ninth = await stage.api.post(PATH, json={"url": receiver.url("/9"), "event_types": list(ALL)})
    assert (ninth.status_code, ninth.json()["code"]) == (409, "webhook_endpoint_limit")


async def test_key_without_the_scope_changes_nothing(stage: Stage, receiver: Receiver) -> None:
    answer = await stage.reader.post(PATH, json={"url": receiver.url(), "event_types": list(ALL)})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await stage.reader.get(PATH)).status_code == 200
    bare = await stage.reader.get(PATH, headers={"authorization": ""})
    assert bare.status_code == 401


async def test_every_route_names_its_scope(stage: Stage) -> None:
    transport: Any = stage.api._transport
    assert_all_routes_protected(transport.app)


def test_production_is_strict_unless_told_otherwise() -> None:
    assert TargetPolicy() == TargetPolicy(allow_private=False, allow_http=False, ports=frozenset({443, 8443}))
