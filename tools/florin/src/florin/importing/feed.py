"""A file on its way to a service: read, checked and sent in chunks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from florin.errors import StackError
from florin.importing import CHUNK, IN_FLIGHT, PATIENCE_S
from florin.importing.lines import Fault, Line, read_lines
from florin.importing.orders import Item
from florin.importing.progress import Watcher
from florin.importing.rejects import Rejects
from florin.importing.sending import Answer

Read = Callable[[Line], Item | Fault]
Told = Callable[[Sequence[Item], Answer], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What to import and how. `rejects` None: beside the file."""

    path: Path
    rejects: Path | None = None
    chunk: int = CHUNK
    in_flight: int = IN_FLIGHT
    patience_s: float = PATIENCE_S


class Feed:
    """Reads, checks and sends a file in chunks, several at once but never more than the source allows."""

    def __init__(self, source: Source, columns: Sequence[str], read: Read, rejects: Rejects) -> None:
        self._source = source
        self._columns = columns
        self._read = read
        self._rejects = rejects
        self.lines = 0
        self._unsent = 0

    async def run(
        self, send: Callable[[Sequence[Item]], Awaitable[Answer]], told: Told, watcher: Watcher
    ) -> None:
        """Returns when every chunk has been answered."""
        slots = asyncio.Semaphore(self._source.in_flight)
        answered = 0

        async def deliver(items: Sequence[Item]) -> None:
            nonlocal answered
            try:
                told(items, await send(items))
            finally:
                slots.release()
            answered += len(items)
            watcher.sent(answered + self._unsent)

        try:
            async with asyncio.TaskGroup() as tasks:
                for items in self._chunks():
                    await slots.acquire()
                    tasks.create_task(deliver(items))
        except* StackError as group:
            raise group.exceptions[0] from None

    def _chunks(self) -> Iterator[list[Item]]:
        seen: dict[str, int] = {}
        chunk: list[Item] = []
        for line in read_lines(self._source.path, self._columns):
            self.lines += 1
            item = line if isinstance(line, Fault) else self._read(line)
            if isinstance(item, Item) and (first := seen.setdefault(item.name, item.line)) != item.line:
                item = Fault(item.line, "duplicate_in_file", f"line {first} has the same {self._columns[0]}")
            if isinstance(item, Fault):
                self._rejects.add(item)
                self._unsent += 1
                continue
            chunk.append(item)
            if len(chunk) == self._source.chunk:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
