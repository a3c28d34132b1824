"""CSV as it must be written: a known header, UTF-8 with or without a mark, one record a line.

Read line by line, so that a bad one is refused by its number and costs nothing else: a quote that is opened
and never closed must not swallow the rest of the file. No field may span lines; no name or reference may
hold a line break anyway.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from florin.errors import StackError

MAX_LINE_BYTES = 16 * 1024
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One record by column. `number` counts from 1 with the header, as editors do."""

    number: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line was refused. `code` is stable."""

    number: int
    code: str
    message: str


class UnreadableFile(StackError):
    """The file as a whole cannot be imported."""


def read_lines(path: Path, columns: Sequence[str]) -> Iterator[Line | Fault]:
    """Each record or what is wrong with it; blank lines are passed over. Raises `UnreadableFile`."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
    with file:
        header = _header(path, file.readline(MAX_LINE_BYTES), columns)
        number = 1
        while raw := file.readline(MAX_LINE_BYTES):
            number += 1
            if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield Fault(number, "line_too_long", f"a line holds at most {MAX_LINE_BYTES} bytes")
            elif raw.strip(b"\r\n"):
                yield _read(number, raw, header)


def count_lines(path: Path) -> int:
    """About how many records there are: enough for a progress bar."""
    newlines = 0
    last = b""
    try:
        with path.open("rb") as file:
            while block := file.read(1024 * 1024):
                newlines += block.count(b"\n")
                last = block
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
    return max(0, newlines - 1 + (not last.endswith(b"\n")))


def _header(path: Path, raw: bytes, columns: Sequence[str]) -> list[str]:
    found = _read(1, raw.removeprefix(_MARK), None)
    names = [] if isinstance(found, Fault) else list(found.fields.values())
    if sorted(names) != sorted(columns):
        raise UnreadableFile(f"{path}: the first line must name these columns: {','.join(columns)}")
    return names


def _read(number: int, raw: bytes, header: Sequence[str] | None) -> Line | Fault:
    try:
        text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        return Fault(number, "invalid_utf8", f"byte {error.start + 1} of the line is not UTF-8")
    if not text.isprintable() and any(_is_control(character) for character in text):
        return Fault(number, "control_character", "the line holds a control character")
    try:
        (values,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        return Fault(number, "malformed_line", f"not a CSV record: {error}")
    names = header if header is not None else [str(place) for place in range(len(values))]
    if len(values) != len(names):
        return Fault(number, "wrong_number_of_fields", f"{len(values)} fields instead of {len(names)}")
    return Line(number, dict(zip(names, values, strict=True)))


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"
