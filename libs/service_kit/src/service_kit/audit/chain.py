"""The hashes by which anybody can recompute that no entry was altered, taken out, put in or moved.

SHA-256 over a label, a line feed, and the canonical JSON form (RFC 8785: sorted keys, no white space, UTF-8;
only strings, integers, booleans, null, lists and objects occur, and keys are ASCII, so that sorting by code
point is enough) of the entry with its position and the hash before it. The first entry's is SHA-256 over the
label, a line feed and the service's name, so that no service's chain passes for another's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from service_kit.audit.masking import canonical_time

LABEL = b"florin-audit-v1\n"
FIELDS = (
    *("id", "at", "client_id", "by_client_id", "actor", "credential", "action", "subject_type", "subject"),
    *("before", "after", "reason", "request_id", "trace_id", "address"),
)
# What a statement reads of `audit_entries e`, for `form_of`.
COLUMNS = ", ".join(
    f"CAST(e.{name} AS text) AS {name}" if name in ("before", "after") else f"e.{name}" for name in FIELDS
)


class Row(Protocol):
    """A row of a statement, whoever has read it."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: its last position, from 1, and that entry's hash of 32 bytes."""

    position: int
    hash: bytes


# Each seal with its entry (its fields NULL if it is gone), in the chain's order, for `fault`.
SEALED = (
    f"SELECT s.position, s.entry_id, s.hash, {COLUMNS} FROM {{schema}}.audit_seals s "  # noqa: S608
    "LEFT JOIN {schema}.audit_entries e ON e.id = s.entry_id ORDER BY s.position"
)


def beginning(service: str) -> Head:
    """What the first entry chains to."""
    return Head(0, hashlib.sha256(LABEL + service.encode()).digest())


def form_of(row: Row) -> dict[str, Any]:
    """An entry as it is hashed and told, of a row of `COLUMNS`."""
    form = {name: row[name] for name in FIELDS}
    form["at"] = canonical_time(form["at"])
    for name in ("before", "after"):
        if form[name] is not None:
            form[name] = orjson.loads(form[name])
    return form


def following(previous: Head, form: Mapping[str, Any]) -> Head:
    """The chain's head once this entry is at its end."""
    position = previous.position + 1
    sealed = {**form, "position": position, "previous_hash": previous.hash.hex()}
    return Head(position, hashlib.sha256(LABEL + canonical(sealed)).digest())


def fault(previous: Head, row: Row) -> str | None:
    """What is wrong with the next row of `SEALED`, in words; None if it continues the chain at `previous`."""
    position = previous.position + 1
    if row["position"] != position:
        return f"position {position} is missing"
    if row["id"] is None:
        return f"the entry at position {position} is gone"
    if following(previous, form_of(row)).hash != bytes(row["hash"]):
        return f"entry {row['id']} at position {position} is not what was sealed"
    return None


def canonical(form: Mapping[str, Any]) -> bytes:
    """The canonical JSON form."""
    return orjson.dumps(form, option=orjson.OPT_SORT_KEYS)
