"""Whatever is done to webhooks stands in the audit log, by whom and without their URLs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest
from service_kit.audit.masking import MASK, MASK_CHANGED
from testkit.auditing import AuditLog, audited_routes
from testkit.databases import ServiceDatabase

from .receiver import Receiver
from .stage import Stage

URL = "https://hooks.example.com/in?token=very-secret"


@pytest.fixture
def log(database_for: Callable[[str], ServiceDatabase]) -> AuditLog:
    return AuditLog(database_for("notification").admin_url, "notification")


async def ask(stage: Stage, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
    return await stage.api.request(method, f"/v1/{path}", json=body, headers=headers)


async def test_each_deed_is_written_down_and_what_changes_nothing_is_not(stage: Stage, log: AuditLog) -> None:
    stage.names.answers["hooks.example.com"] = [["93.184.216.34"]]
    told: list[tuple[str, Any, Any]] = []

    async def do(method: str, path: str, body: Any = None) -> Any:
        answer, entries = await log.of(partial(ask, stage, method, path, body))
        assert answer.is_success, answer.text
        for entry in entries:
            assert (entry["client_id"], entry["actor"]) == (stage.client_id, f"client:{stage.client_id}")
            assert entry["credential"] == "key:aaaaaaaa"
            told.append((entry["action"], entry["before"], entry["after"]))
        return answer.json()

    subscribed = {"url": URL, "event_types": ["payment.settled"], "description": "ours"}
    endpoint = f"webhook-endpoints/{(await do('POST', 'webhook-endpoints', subscribed))['id']}"
    for _ in range(2):
        await do("PATCH", endpoint, {"url": f"{URL}-new", "event_types": ["payment.rejected"]})
    await do("POST", f"{endpoint}/secret/rotations", {"overlap_s": 0})
    for _ in range(2):
        sent = await do("POST", f"{endpoint}/test")
    await do("POST", f"webhook-deliveries/{sent['id']}/retry")
    await do("POST", f"{endpoint}/replay", {"since": stage.clock.now().isoformat()})
    for _ in range(2):
        await do("DELETE", endpoint)
    for _ in range(2):
        await do("POST", f"{endpoint}/enable")

    first = {"url": MASK, "description": MASK, "event_types": ["payment.settled"], "status": "active"}
    second = first | {"event_types": ["payment.rejected"]}
    at = stage.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert told == [
        ("webhook-endpoint.registered", None, first),
        ("webhook-endpoint.changed", first, second | {"url": MASK_CHANGED}),
        ("webhook-endpoint.secret-rotated", None, {"expires_at": at}),
        ("webhook-endpoint.tested", None, None),
        ("webhook-delivery.retried", None, None),
        ("webhook-endpoint.replayed", None, {"from": at, "to": None, "count": 0}),
        ("webhook-endpoint.switched-off", second, second | {"status": "removed"}),
        ("webhook-endpoint.enabled", second | {"status": "removed"}, second),
    ]
    assert await log.entries("strpos(audit_entries::text, 'very-secret') > 0") == []


async def test_an_endpoint_that_the_worker_switches_off_is_in_its_clients_log(
    stage: Stage, receiver: Receiver, log: AuditLog
) -> None:
    endpoint = await stage.register(receiver.url())
    await stage.hear(stage.event())
    receiver.status = 410
    await stage.worker().run_until_idle()
    [entry] = await log.entries("subject = $1 AND action = 'webhook-endpoint.switched-off'", endpoint["id"])
    assert (entry["actor"], entry["client_id"]) == ("service:notification", stage.client_id)
    assert (entry["by_client_id"], entry["reason"]) == (None, "receiver_gone")


def test_these_are_all_the_routes_that_write_it(stage: Stage) -> None:
    assert set(audited_routes(stage.app)) == {
        ("POST", "/v1/webhook-endpoints"),
        ("PATCH", "/v1/webhook-endpoints/{endpoint_id}"),
        ("DELETE", "/v1/webhook-endpoints/{endpoint_id}"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/enable"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/secret/rotations"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/test"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/replay"),
        ("POST", "/v1/webhook-deliveries/{delivery_id}/retry"),
        ("GET", "/v1/audit"),
    }
