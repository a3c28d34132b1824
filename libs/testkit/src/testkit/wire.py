"""Reading what passes a proxy: enough of Postgres' and AMQP's protocols to know the moments that matter.

A reader sees both directions of one connection and reports messages of interest, whole and in order. It
holds no more than the part of a message that has not arrived yet.
"""

import re
import struct
from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

_BEGIN = re.compile(r"\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_COMMIT = re.compile(r"(^|;)\s*(COMMIT|END)(\s+(WORK|TRANSACTION))?\s*;?\s*$", re.IGNORECASE)
_ROLLBACK = re.compile(r"\s*(ROLLBACK|ABORT)\s*(WORK|TRANSACTION)?\s*;?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """One message on its way.

    `what` is, to Postgres, `statement`, and back from it, once a statement is done, `answer`; to RabbitMQ
    `publish`, `ack`, `nack`, `reject`; back `confirm`, `nacked`, `return`, `deliver`.
    `text` is the statement or the routing key. `transaction` holds the statements of the transaction so far,
    this one included; `commits` says that this one ends it for good, alone or as COMMIT; `ok` that the
    server did not answer with an error.
    """

    what: str
    text: str = ""
    transaction: tuple[str, ...] = ()
    commits: bool = False
    ok: bool = True

    def writes(self, table: str) -> bool:
        """Whether the transaction so far has inserted into or updated this table."""
        return any(writes(statement, table) for statement in self.transaction)


def writes(statement: str, table: str) -> bool:
    """Whether a statement inserts into, updates or deletes from a table, in whatever schema."""
    pattern = rf"\b(INSERT\s+INTO|UPDATE(\s+ONLY)?|DELETE\s+FROM)\s+(\w+\.)?{table}\b"
    return re.search(pattern, statement, re.IGNORECASE) is not None


class Wire(Protocol):
    """Reads one connection. Each call is given bytes that begin at a message's first byte and returns how
    many of them are whole messages, and which of these are of interest."""

    def to_server(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]: ...

    def to_client(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]: ...


class PostgresWire:
    """Frontend and backend protocol 3 (PostgreSQL documentation, chapter "Frontend/Backend Protocol")."""

    _SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102

    def __init__(self) -> None:
        self._started = False
        self._one_byte_answers = 0
        self._statements: dict[str, str] = {}
        self._portals: dict[str, str] = {}
        self._transaction: list[str] | None = None
        self._cycle: list[Seen] = []
        # What the server still has to answer, a list for each ReadyForQuery to come; the first is the login.
        self._unanswered: deque[list[Seen]] = deque([[]])
        self._ok = True

    def to_server(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]:
        found: list[tuple[int, Seen]] = []
        at = 0
        while len(data) - at >= 8 and not self._started:
            length, code = struct.unpack_from("!II", data, at)
            if len(data) - at < length:
                return at, found
            at += length
            if code in (self._SSL, self._GSS):
                self._one_byte_answers += 1
            else:
                self._started = True
        while len(data) - at >= 5 and self._started:
            length = struct.unpack_from("!I", data, at + 1)[0] + 1
            if len(data) - at < length:
                break
            seen = self._frontend(data[at : at + 1], data[at + 5 : at + length])
            if seen is not None:
                found.append((at, seen))
            at += length
        return at, found

    def to_client(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]:
        found: list[tuple[int, Seen]] = []
        at = 0
        while self._one_byte_answers and at < len(data):
            self._one_byte_answers -= 1
            at += 1
        answer_at = at
        while len(data) - at >= 5:
            kind = data[at : at + 1]
            length = struct.unpack_from("!I", data, at + 1)[0] + 1
            if len(data) - at < length:
                break
            if kind == b"E":
                self._ok = False
            elif kind == b"Z":
                answered = self._unanswered.popleft() if self._unanswered else []
                found.extend((answer_at, replace(one, what="answer", ok=self._ok)) for one in answered)
                self._ok = True
            at += length
            if kind == b"Z":
                answer_at = at
        return at, found

    def _frontend(self, kind: bytes, body: bytes) -> Seen | None:
        if kind == b"Q":
            seen = self._executes(_text(body, 0))
            self._unanswered.append([*self._cycle, seen])
            self._cycle = []
            return seen
        if kind == b"P":
            name = _text(body, 0)
            self._statements[name] = _text(body, len(name.encode()) + 1)
        elif kind == b"B":
            portal = _text(body, 0)
            self._portals[portal] = self._statements.get(_text(body, len(portal.encode()) + 1), "")
        elif kind == b"E":
            seen = self._executes(self._portals.get(_text(body, 0), ""))
            self._cycle.append(seen)
            return seen
        elif kind == b"S":
            self._unanswered.append(self._cycle)
            self._cycle = []
        return None

    def _executes(self, statement: str) -> Seen:
        if _COMMIT.search(statement):
            before = self._transaction or []
            self._transaction = None
            return Seen("statement", statement, (*before, statement), commits=True)
        if _BEGIN.match(statement):
            self._transaction = []
            return Seen("statement", statement)
        if _ROLLBACK.match(statement):
            self._transaction = None
            return Seen("statement", statement)
        if self._transaction is None:
            return Seen("statement", statement, (statement,), commits=True)
        self._transaction.append(statement)
        return Seen("statement", statement, tuple(self._transaction))


class AmqpWire:
    """AMQP 0-9-1 frames (specification, sections 2.3.5 and 4.2); of the methods only class 60, Basic."""

    _HEADER = b"AMQP\x00\x00\x09\x01"
    _METHOD, _BASIC = 1, 60
    _TO_SERVER: ClassVar = {40: "publish", 80: "ack", 90: "reject", 120: "nack"}
    _TO_CLIENT: ClassVar = {50: "return", 60: "deliver", 80: "confirm", 120: "nacked"}

    def __init__(self) -> None:
        self._greeted = False

    def to_server(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]:
        at = 0
        if not self._greeted:
            if len(data) < len(self._HEADER):
                return 0, []
            self._greeted, at = True, len(self._HEADER)
        return self._frames(data, at, self._TO_SERVER)

    def to_client(self, data: bytes) -> tuple[int, list[tuple[int, Seen]]]:
        return self._frames(data, 0, self._TO_CLIENT)

    def _frames(self, data: bytes, at: int, names: dict[int, str]) -> tuple[int, list[tuple[int, Seen]]]:
        found: list[tuple[int, Seen]] = []
        while len(data) - at >= 7:
            kind, _, size = struct.unpack_from("!BHI", data, at)
            if len(data) - at < size + 8:
                break
            if kind == self._METHOD and size >= 4:
                class_id, method = struct.unpack_from("!HH", data, at + 7)
                if class_id == self._BASIC and method in names:
                    what = names[method]
                    key = _routing_key(data, at + 13) if what == "publish" else ""
                    found.append((at, Seen(what, key)))
            at += size + 8
        return at, found


def _routing_key(data: bytes, at: int) -> str:
    # Basic.Publish: two reserved bytes (passed over by the caller), exchange, routing key: short strings.
    at += 1 + data[at]
    return data[at + 1 : at + 1 + data[at]].decode("utf-8", "replace")


def _text(body: bytes, at: int) -> str:
    end = body.find(b"\x00", at)
    return body[at : end if end >= 0 else len(body)].decode("utf-8", "replace")
