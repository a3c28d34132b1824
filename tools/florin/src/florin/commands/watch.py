"""watch: the continuous verifier."""

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from florin.ports import HOST

if TYPE_CHECKING:
    from florin.watching import Watch


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("watch")(watch)


def watch(
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="FLORIN_DATABASE_URL",
            help="The database, as the auditor; without it, that of this run folder's stack.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(envvar="FLORIN_INTERNAL_HOST", help="Where /metrics listens.")] = HOST,
    port: Annotated[
        int | None, typer.Option(envvar="FLORIN_INTERNAL_PORT", help="Its port; the stack's own by default.")
    ] = None,
    interval_s: Annotated[
        float,
        typer.Option(envvar="FLORIN_WATCH_INTERVAL_S", min=1, help="Seconds between two rounds, at least."),
    ] = 60.0,
) -> None:
    """Recompute what must always hold, again and again, and tell it as metrics."""
    from prometheus_client import start_http_server
    from service_kit.telemetry import configure_logging

    from florin.provision import AUDITOR
    from florin.stack import stack_here
    from florin.watching import Watch, WatchMetrics

    if database_url is None or port is None:
        stack = stack_here()
        database_url = database_url or stack.surroundings.role_url(AUDITOR)
        port = port or stack.ports.watch
    configure_logging(service="watch")
    metrics = WatchMetrics()
    server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    try:
        asyncio.run(_until_stopped(Watch(database_url, metrics, interval_s=interval_s)))
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


async def _until_stopped(watch: "Watch") -> None:
    """Ends in good order at SIGTERM and SIGINT: nothing is written, so nothing has to be finished."""
    task = asyncio.ensure_future(watch.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
