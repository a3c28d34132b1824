"""The internal port: does the process live, may it be given work, and its metrics. Never exposed to
clients."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from service_kit.http import HttpServer

Check = Callable[[], Awaitable[None]]
CHECK_TIMEOUT_S = 2.0
# Balancers, kubelets and people may all ask at once; the database is asked once a second.
CACHE_S = 1.0

_log = structlog.stdlib.get_logger(__name__)


class Readiness:
    """Whether the process may be given work: it has started, is not draining, and every named check
    passes."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._state = "starting"
        self._verdict: dict[str, str] = {}
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    def set_ready(self) -> None:
        """The process has started."""
        self._state = "ready"

    def set_draining(self) -> None:
        """The process will take no more work."""
        self._state = "draining"

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, and how each check went; at most a second old."""
        if self._state != "ready":
            return False, {"status": self._state, "checks": {}}
        async with self._lock:
            if monotonic() - self._asked_at > CACHE_S:
                names = list(self._checks)
                results = await asyncio.gather(*(self._run(self._checks[name]) for name in names))
                self._note(dict(zip(names, results, strict=True)))
        ready = all(result == "ok" for result in self._verdict.values())
        return ready, {"status": "ready" if ready else "not ready", "checks": self._verdict}

    async def _run(self, check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await check()
        except TimeoutError:
            return "timed out"
        except Exception as error:  # whatever it is, the process is not ready, and lives on
            return f"{type(error).__name__}: {error}"[:300]
        return "ok"

    def _note(self, verdict: dict[str, str]) -> None:
        if verdict != self._verdict:
            failed = {name: result for name, result in verdict.items() if result != "ok"}
            if failed:
                _log.warning("not ready", checks=failed)
            elif self._verdict:
                _log.info("ready again")
        self._verdict, self._asked_at = verdict, monotonic()


class HealthServer(HttpServer):
    """Serves /livez, /readyz and /metrics."""

    def __init__(self, *, host: str, port: int, checks: Mapping[str, Check] | None = None) -> None:
        self.readiness = Readiness(checks or {})
        super().__init__(self._answer, host=host, port=port, graceful_timeout_s=1)

    async def _answer(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            await _send(send, 405, b"application/json", b'{"status":"method not allowed"}')
        elif scope["path"] == "/livez":
            await _send(send, 200, b"application/json", b'{"status":"alive"}')
        elif scope["path"] == "/readyz":
            ready, report = await self.readiness.report()
            await _send(send, 200 if ready else 503, b"application/json", orjson.dumps(report))
        elif scope["path"] == "/metrics":
            await _send(send, 200, CONTENT_TYPE_LATEST.encode(), generate_latest())
        else:
            await _send(send, 404, b"application/json", b'{"status":"not found"}')


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
