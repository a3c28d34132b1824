"""The rejects file: one record for each line that led to nothing, by line number, code and message."""

import csv
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from florin.errors import StackError
from florin.importing.lines import Fault

COLUMNS = ("line", "code", "message")
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@")


class Rejects:
    """Made when the first line is refused; one that an earlier import left is removed at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_code: Counter[str] = Counter()
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            # Asked for first: a file beside data on a read-only file system need not be written at all.
            if self.path.exists():
                self.path.unlink()
        except OSError as error:
            raise StackError(f"{self.path} cannot be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, fault: Fault) -> None:
        """Records one refused line; raises StackError when the file cannot be written."""
        try:
            if self._file is None:
                # Line-buffered: an import that is interrupted leaves all that it had found.
                self._file = self.path.open("w", encoding="utf-8", newline="", buffering=1)
                csv.writer(self._file).writerow(COLUMNS)
            csv.writer(self._file).writerow((fault.number, fault.code, _plain(fault.message)))
        except OSError as error:
            raise StackError(f"{self.path} cannot be written: {error.strerror}") from error
        self.by_code[fault.code] += 1


def rejects_beside(path: Path) -> Path:
    """Where the rejects of a file go unless told otherwise: `payments.rejects.csv` for `payments.csv`."""
    return path.with_name(f"{path.stem}.rejects.csv")


def _plain(message: str) -> str:
    return f"'{message}" if message.startswith(_FORMULA) else message
