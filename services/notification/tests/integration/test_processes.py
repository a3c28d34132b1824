"""The real process on the real broker: events in, webhooks out, whatever is killed in between."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2
import pytest
from contracts.messages import PaymentNotice
from messaging.event import Event, encode
from messaging.frame import Frame, seal
from messaging.publisher import Publisher, Receipt
from messaging.signing import KeyRing
from messaging.topology import Topology
from standardwebhooks.webhooks import Webhook
from testkit.databases import Databases, ServiceDatabase
from testkit.waiting import eventually

from .receiver import Receiver
from .stage import Stage

# Generous: a process starts in two seconds, unless the machine is busy with other tests.
START_S = 60
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(
    databases: Databases,
    database_for: Callable[[str], ServiceDatabase],
    broker_url: str,
    broker_namespace: str,
) -> Start:
    """Starts a worker process on this module's database and namespace."""
    surroundings = databases.surroundings(database_for("notification").name, namespace=broker_namespace)
    environment = surroundings.environment_of("notification") | {
        "FLORIN_BROKER_URL": broker_url,
        "FLORIN_INTERNAL_PORT": "0",
        "FLORIN_WEBHOOK_ALLOW_PRIVATE": "true",
        "FLORIN_WEBHOOK_ALLOW_HTTP": "true",
        "FLORIN_WEBHOOK_TIMEOUT_S": "1",
        "FLORIN_WEBHOOK_LEASE_S": "2",
    }
    return lambda role="worker", **more: subprocess.Popen(
        [sys.executable, "-m", "notification_service", role],
        env=environment | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )


@asynccontextmanager
async def running(start: Start, *role: str, **more: str) -> AsyncIterator["subprocess.Popen[bytes]"]:
    process = start(*role, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.wait, 10)


def frame_of(keyring: KeyRing, events: Sequence[Event[PaymentNotice]]) -> Frame:
    return seal(
        [encode(event) for event in events],
        routing_key=events[0].type,
        key=keyring.signing_key("transaction"),
        at=datetime.now(UTC),
    )


async def publish(broker_url: str, namespace: str, *frames: Frame) -> None:
    publisher = Publisher(broker_url, Topology(namespace), name="test")
    await publisher.open()
    try:
        for frame in frames:
            assert await publisher.publish(frame) is Receipt.CONFIRMED
    finally:
        await publisher.close()


async def test_killed_worker_loses_no_webhook_and_its_duplicates_are_recognisable(
    stage: Stage,
    receiver: Receiver,
    start: Start,
    broker_url: str,
    broker_namespace: str,
    keyring: KeyRing,
) -> None:
    """SIGKILL while requests hang at the receiver; the next worker sends them again under the same ids."""
    endpoint = await stage.register(receiver.url())
    events = [stage.event() for _ in range(3)]
    frame = frame_of(keyring, events)
    receiver.fault = "silent"
    await publish(broker_url, broker_namespace, frame)
    async with running(start) as victim:
        await eventually(lambda: len(receiver.requests) == 3, timeout_s=START_S)
        victim.send_signal(signal.SIGKILL)
        await asyncio.to_thread(victim.wait, 10)
    assert [d["status"] for d in await stage.deliveries()] == ["pending"] * 3
    interrupted = set(receiver.ids())
    receiver.requests.clear()
    receiver.fault = None
    receiver.release()

    # The broker may well bring the same frame again; so it does, to be sure.
    await publish(broker_url, broker_namespace, frame)
    async with running(start) as heir:
        await eventually(lambda: len(receiver.requests) == 3, timeout_s=START_S)
        done: bool = await eventually(lambda: _all_delivered(stage))
        assert done
        heir.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(heir.wait, 15) == 0
    assert set(receiver.ids()) == interrupted == {f"evt_{event.id.hex}" for event in events}
    for request in receiver.requests:
        Webhook(endpoint["secret"]).verify(request.body, request.headers)
        assert request.headers["traceparent"] == events[0].traceparent
    lost = await stage.rows(
        "SELECT count(*) FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id"
        " WHERE d.client_id = :client AND a.error = 'worker_lost'",
        client=stage.client_id,
    )
    assert lost[0][0] == 3


async def test_event_of_a_client_without_endpoints_leaves_only_its_inbox_row(
    stage: Stage, start: Start, broker_url: str, broker_namespace: str, keyring: KeyRing
) -> None:
    event = stage.event(client_id=stage.other_id)
    await publish(broker_url, broker_namespace, frame_of(keyring, [event]))

    async def heard() -> bool:
        return bool(await stage.rows("SELECT 1 FROM inbox WHERE event_id = :id", id=event.id))

    async with running(start):
        done: bool = await eventually(heard, timeout_s=START_S)
        assert done
    assert await stage.rows("SELECT 1 FROM notifications WHERE id = :id", id=event.id) == []
    assert await stage.rows("SELECT 1 FROM parked") == []


async def test_process_with_every_role_gets_ready_answers_and_ends_on_request(start: Start) -> None:
    http, internal = _free_port(), _free_port()
    ports = {"FLORIN_HTTP_PORT": str(http), "FLORIN_INTERNAL_PORT": str(internal)}
    async with running(start, "all", **ports) as process, httpx2.AsyncClient() as caller:

        async def ready() -> bool:
            try:
                answer = await caller.get(f"http://127.0.0.1:{internal}/readyz")
            except httpx2.TransportError:
                return False
            return answer.status_code == 200

        done: bool = await eventually(ready, timeout_s=START_S)
        assert done
        refused = await caller.get(f"http://127.0.0.1:{http}/v1/webhook-endpoints")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        metrics = (await caller.get(f"http://127.0.0.1:{internal}/metrics")).text
        assert "florin_webhook_oldest_due_seconds" in metrics
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


async def _all_delivered(stage: Stage) -> bool:
    return [d["status"] for d in await stage.deliveries()] == ["delivered"] * 3
