"""Readiness tells which check failed, is not asked more than once a second, and never hangs."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from service_kit import health
from service_kit.health import HealthServer


@pytest.fixture
async def server() -> AsyncIterator[tuple[HealthServer, httpx2.AsyncClient, list[str]]]:
    asked: list[str] = []
    answers: dict[str, Exception | None] = {"database": None, "schema": None}

    async def database() -> None:
        asked.append("database")
        if (error := answers["database"]) is not None:
            raise error

    async def slow() -> None:
        asked.append("slow")
        await asyncio.sleep(0 if len(asked) <= 2 else 60)

    made = HealthServer(host="127.0.0.1", port=0, checks={"database": database, "slow": slow})
    made.readiness.set_ready()
    running = asyncio.create_task(made.run())
    await made.started()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{made.port}") as client:
        yield made, client, asked
    await made.stop()
    await running


async def test_ready_is_cached_and_a_hanging_check_is_not_ready(
    server: tuple[HealthServer, httpx2.AsyncClient, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, client, asked = server
    for _ in range(5):
        assert (await client.get("/readyz")).json() == {
            "status": "ready",
            "checks": {"database": "ok", "slow": "ok"},
        }
    assert asked == ["database", "slow"]
    monkeypatch.setattr(health, "CACHE_S", 0)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "ok", "slow": "timed out"})
    made.readiness.set_draining()
    assert (await client.get("/readyz")).json()["status"] == "draining"
    assert (await client.get("/livez")).status_code == 200


async def test_metrics_are_served_and_nothing_else_is(
    server: tuple[HealthServer, httpx2.AsyncClient, list[str]],
) -> None:
    _, client, _ = server
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "florin_http_request_duration_seconds" in answer.text
    assert (await client.get("/admin")).status_code == 404
    assert (await client.post("/livez")).status_code == 405
