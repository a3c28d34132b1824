"""up, down, restart, status, logs, topology: the stack on this machine."""

import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from florin.backing import choosing
from florin.errors import StackError
from florin.services import PROCESSES
from florin.stack import API_VARIABLE, Part, Stack, stack_here

console = Console(highlight=False)
FOLLOW_S = 0.2
BACKING = ("postgres", "rabbitmq", "redis")
PARTS = (*PROCESSES, *BACKING)
STYLES = {"ready": "green", "starting": "yellow", "down": "red"}


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command()(up)
    app.command()(down)
    app.command()(restart)
    app.command()(status)
    app.command()(logs)
    group = typer.Typer(help="Exchanges and queues on the broker.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("apply")(topology_apply)
    app.add_typer(group, name="topology")


def up() -> None:
    """Start Postgres, RabbitMQ, Redis and the services; what runs already is left alone."""
    began = time.monotonic()
    stack = _own_stack()
    if stack.up():
        console.print(f"[green]up[/green] after {time.monotonic() - began:.1f} s")
    else:
        console.print("[green]up[/green] already, nothing to do")
    for service in PROCESSES:
        console.print(f"  {service:<13} http://127.0.0.1:{stack.ports.api(service)}/docs", soft_wrap=True)
    console.print(f"  API key       {stack.run_dir / 'credentials.json'} (api_keys.demo)", soft_wrap=True)


def down(
    parts: Annotated[list[str] | None, typer.Argument(help="Only these parts.", show_default=False)] = None,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Remove all data, keys and passwords as well.")
    ] = False,
) -> None:
    """Stop everything, or the parts named; data stays unless --wipe."""
    stack, named = _own_stack(), _known(parts or ())
    if named and wipe:
        raise StackError("--wipe is for the whole stack: name no parts")
    if not named:
        stack.down(wipe=wipe)
        console.print("down, and the data is gone" if wipe else "down")
        return
    with stack.alone():
        for part in named:
            stack.stop(part)
    console.print(f"down: {', '.join(named)}; `florin up` starts what is missing")


def restart(
    parts: Annotated[
        list[str], typer.Argument(help="Services, postgres, rabbitmq, redis.", show_default=False)
    ],
) -> None:
    """Stop these parts in good order and start them again, one after the other."""
    stack, named = _own_stack(), _known(parts)
    with stack.alone():
        for part in named:
            stack.stop(part)
            stack.start(part)
            console.print(f"{part} is ready again")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every part; exit status 1 when one is not ready."""
    stack = _own_stack()
    parts = stack.status()
    if as_json:
        document = {"run_dir": str(stack.run_dir), "parts": [asdict(part) for part in parts]}
        typer.echo(json.dumps(document, indent=1))
    else:
        console.print(_table(parts))
    if not all(part.ready for part in parts):
        raise typer.Exit(1)


def logs(
    part: Annotated[str, typer.Argument(help="A service, postgres, rabbitmq, redis; or all services.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=100_000, help="How many lines of each.")
    ] = 40,
) -> None:
    """Show the end of the logs."""
    chosen = _known([part]) if part else list(PROCESSES)
    run_dir = _own_stack().run_dir
    contained = choosing.marker_of(run_dir, part)
    if part and contained.exists():
        raise StackError(f"{part} runs in Docker: `docker logs {contained.read_text().strip()}`")
    files = {name: run_dir / "logs" / f"{name}.log" for name in chosen}
    missing = [name for name, file in files.items() if not file.exists()]
    if missing and not follow:
        raise StackError(f"there is no log of {', '.join(missing)} yet: run `florin up`")
    width = max(len(name) for name in chosen) if len(chosen) > 1 else 0
    for name, line in itertools.chain(_ends(files, lines), _growing(files) if follow else ()):
        typer.echo(f"{name:<{width}} {line}" if width else line)


def topology_apply() -> None:
    """Declare exchanges and queues, and the services' users; done again it changes nothing."""
    stack = stack_here()
    stack.apply_topology()
    console.print(f"topology of namespace {stack.surroundings.namespace} stands")


def stack_must_be_up() -> Stack:
    """The stack of this run folder, for commands that need all of it; StackError when a part is not ready."""
    stack = stack_here()
    absent = [] if stack.elsewhere else [part.name for part in stack.status() if not part.ready]
    if absent:
        raise StackError(f"not ready: {', '.join(absent)}: run `florin up`")
    return stack


def _own_stack() -> Stack:
    """The stack of this run folder; StackError when others start its processes."""
    stack = stack_here(say=lambda line: console.print(f"[dim]·[/dim] {line}"))
    if stack.elsewhere:
        raise StackError(
            f"others start these processes ({API_VARIABLE} is set): ask docker compose or kubectl"
        )
    return stack


def _known(parts: Sequence[str]) -> list[str]:
    """The parts named, each once; StackError for one that does not exist."""
    for part in parts:
        if part not in PARTS:
            raise StackError(f"there is no part {part!r}: choose one of {', '.join(PARTS)}")
    return list(dict.fromkeys(parts))


def _table(parts: list[Part]) -> Table:
    table = Table("part", "pid", "port", "state")
    for part in parts:
        style = STYLES[part.state]
        table.add_row(part.name, str(part.pid or ""), str(part.port), f"[{style}]{part.state}[/{style}]")
    return table


def _ends(files: dict[str, Path], lines: int) -> Iterator[tuple[str, str]]:
    for name, file in files.items():
        if lines and file.exists():
            with file.open("rb") as log:
                log.seek(max(0, file.stat().st_size - lines * 4_000))
                for line in log.read().decode(errors="replace").splitlines()[-lines:]:
                    yield name, line


def _growing(files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """New lines for ever, until the person interrupts."""
    seen = {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}
    while True:
        for name, file in files.items():
            if not file.exists() or file.stat().st_size == seen[name]:
                continue
            if file.stat().st_size < seen[name]:
                seen[name] = 0
            with file.open("rb") as log:
                log.seek(seen[name], os.SEEK_SET)
                fresh = log.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            seen[name] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield name, line
        time.sleep(FOLLOW_S)
