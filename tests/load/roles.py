"""A service's `api` and `worker` as processes apart, on one stack whose own processes are stopped."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

import httpx2
from florin.ports import HOST
from florin.processes import Daemon
from florin.services import SERVICES, module_of

from .bench import Bench

# From the stack's first port; nothing of the stack itself lies here.
WORKERS_FROM = 110
READY_S = 60.0
POLL_S = 0.05


@contextlib.asynccontextmanager
async def only_api(bench: Bench) -> AsyncIterator[None]:
    """No process but the transaction service's API runs; afterwards none does."""
    await asyncio.to_thread(bench.stack.services.stop_all)
    async with _running(bench, "api", ["transaction"]):
        yield


@contextlib.asynccontextmanager
async def workers(bench: Bench) -> AsyncIterator[None]:
    """The worker of every service, beside whatever runs; ready when the block begins."""
    async with _running(bench, "worker", SERVICES):
        yield


@contextlib.asynccontextmanager
async def _running(bench: Bench, role: str, services: Sequence[str]) -> AsyncIterator[None]:
    run_dir = bench.stack.run_dir
    started: list[Daemon] = []
    try:
        ports = []
        for service in services:
            name = f"{service}-{role}"
            daemon = Daemon(
                name, pid_file=run_dir / "pids" / f"{name}.pid", log_file=run_dir / "logs" / f"{name}.log"
            )
            environment = bench.stack.surroundings.environment_of(service)
            if role == "worker":
                environment["FLORIN_INTERNAL_PORT"] = str(_worker_port(bench, service))
            daemon.start([sys.executable, "-m", module_of(service), role], env=environment, cwd=run_dir)
            started.append(daemon)
            bench.more[name] = daemon
            ports.append(int(environment["FLORIN_INTERNAL_PORT"]))
        async with asyncio.timeout(READY_S):
            for port in ports:
                await _ready(port)
        yield
    finally:
        bench.note_memory()
        await asyncio.gather(*(asyncio.to_thread(daemon.stop, timeout_s=40.0) for daemon in started))
        for daemon in started:
            bench.more.pop(daemon.name, None)


def _worker_port(bench: Bench, service: str) -> int:
    return bench.stack.ports.base + WORKERS_FROM + SERVICES.index(service)


async def _ready(port: int) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get(f"http://{HOST}:{port}/readyz")).is_success:
                    return
            await asyncio.sleep(POLL_S)
