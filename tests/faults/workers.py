"""One more worker of a service, beside the process that the stack runs."""

import asyncio
import sys

import httpx2
from florin.ports import HOST
from florin.processes import Daemon
from florin.services import module_of
from messaging.broker import open_channel
from messaging.topology import Topology
from testkit.waiting import eventually

from .arena import Arena

# From the stack's first port; nothing of the stack itself lies here.
FIRST_PORT = 110
READY_S = 60.0


class Worker:
    """`python -m <name>_service worker`, by a number of its own."""

    def __init__(self, arena: Arena, service: str, number: int) -> None:
        self._arena = arena
        self._service = service
        self._port = arena.stack.ports.base + FIRST_PORT + number
        run_dir = arena.stack.run_dir
        name = f"{service}-worker-{number}"
        self.daemon = Daemon(
            name, pid_file=run_dir / "pids" / f"{name}.pid", log_file=run_dir / "logs" / f"{name}.log"
        )

    async def start(self) -> None:
        """Returns when it is ready."""
        environment = self._arena.stack.surroundings.environment_of(self._service)
        command = [sys.executable, "-m", module_of(self._service), "worker"]
        self.daemon.start(
            command,
            env={**environment, "FLORIN_INTERNAL_PORT": str(self._port)},
            cwd=self._arena.stack.run_dir,
        )
        await eventually(self._ready, timeout_s=READY_S, every_s=0.1)

    async def stop(self) -> None:
        """In good order; no effect on one that does not run."""
        await asyncio.to_thread(self.daemon.stop, timeout_s=40.0)

    async def has_worked(self) -> bool:
        """Whether it has handled an event."""
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
            metrics = (await http.get(f"http://{HOST}:{self._port}/metrics")).text
        return any(
            line.startswith("florin_consumer_events_total{") and 'outcome="handled"' in line
            for line in metrics.splitlines()
        )

    async def _ready(self) -> bool:
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
                return (await http.get(f"http://{HOST}:{self._port}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False


async def consumers(arena: Arena, service: str, expected: int) -> bool:
    """Whether so many consumers share the service's queue."""
    # Asked of the broker itself: its management plugin knows some seconds later.
    surroundings = arena.stack.surroundings
    async with open_channel(surroundings.broker_url, name="faults") as channel:
        queue = Topology(surroundings.namespace).queue(service)
        declared = (await channel.declare_queue(queue, passive=True)).declaration_result
    return declared.consumer_count == expected
