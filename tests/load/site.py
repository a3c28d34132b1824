"""The stack under measurement: a fresh one of its own, or one that runs already."""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from florin.errors import StackError
from florin.ports import Ports, reserved_base
from florin.stack import Stack

from . import statements

# Anyone may pass through, so that the account Postgres runs as under root reaches its data.
PASSABLE = 0o711
Say = Callable[[str], None]


@contextlib.contextmanager
def fresh(parent: Path, say: Say, *, keep: bool = False) -> Iterator[Stack]:
    """A stack as `florin up` starts it, with nothing in it; wiped at the end unless it is to be kept.

    On the disk of the checkout: a memory file system would answer an fsync at once.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    folder.chmod(PASSABLE)
    with reserved_base() as base:
        stack = Stack(run_dir=folder, ports=Ports(base), given={})
        say(f"a fresh stack in {folder}, ports from {base}")
        try:
            asyncio.run(statements.install(stack.backing["postgres"]))
            stack.up()
            yield stack
        finally:
            if keep:
                say(f"left up: end it by FLORIN_RUN_DIR={folder} florin down --wipe")
            else:
                stack.down(wipe=True)
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(run_dir: Path) -> Iterator[Stack]:
    """A stack that is up; it stays so."""
    try:
        base = int(json.loads((run_dir / "stack.json").read_text())["base"])
    except (OSError, ValueError, KeyError) as error:
        raise StackError(f"nothing was started in {run_dir}") from error
    stack = Stack(run_dir=run_dir, ports=Ports(base), given={})
    down = [part.name for part in stack.status() if not part.ready]
    if down:
        raise StackError(f"{', '.join(down)} of {run_dir} not ready: run `florin up`")
    yield stack
