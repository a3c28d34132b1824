"""How far an import has come, drawn on the error stream; nothing is drawn where nobody watches."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Watcher(Protocol):
    """Is told how many lines have been answered and how many payments have come through."""

    def sent(self, lines: int) -> None: ...

    def through(self, payments: int, accepted: int) -> None: ...


class Unwatched:
    """Draws nothing."""

    def sent(self, lines: int) -> None: ...

    def through(self, payments: int, accepted: int) -> None: ...


class Bars(AbstractContextManager["Bars"]):
    """One bar for what is sent, and for payments one for what has come through."""

    def __init__(self, what: str, lines: int, *, follow: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._sent = self._progress.add_task(what, total=lines)
        self._through = self._progress.add_task("settled", total=lines) if follow else None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def sent(self, lines: int) -> None:
        """So many lines have been answered."""
        self._progress.update(self._sent, completed=lines)

    def through(self, payments: int, accepted: int) -> None:
        """So many of the accepted payments have come through."""
        if self._through is not None:
            self._progress.update(self._through, completed=payments, total=accepted)
