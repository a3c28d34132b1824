"""Looks for plain text wherever a running system keeps or says anything."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg_toast%'
    ORDER BY 1
"""


def spellings(planted: Iterable[str]) -> list[bytes]:
    """Each value as the bytes that would betray it, and as an escaped JSON text."""
    found = []
    for value in planted:
        escaped = json.dumps(value)[1:-1].encode()
        found += [value.encode(), *([escaped] if escaped != value.encode() else [])]
    return found


@dataclass
class Planted:
    """A person of whom nothing may be found: each value once, as it would be recognised."""

    name: str = field(default_factory=lambda: f"Žofie Nováková{secrets.token_hex(5)}")
    digits: str = field(
        default_factory=lambda: f"60{secrets.choice('12345678')}{secrets.randbelow(10**6):06d}"
    )
    local: str = field(default_factory=lambda: f"zofie.{secrets.token_hex(5)}")

    @property
    def mobile(self) -> str:
        return f"+420{self.digits}"

    @property
    def email(self) -> str:
        return f"{self.local}@example.com"

    def betraying(self) -> list[bytes]:
        """What must be found nowhere."""
        grouped = f"{self.digits[:3]} {self.digits[3:6]} {self.digits[6:]}"
        return spellings([self.name, self.digits, grouped, self.local])


async def in_tables(connection: "asyncpg.Connection[asyncpg.Record]", wanted: Sequence[bytes]) -> list[str]:
    """The tables, of all schemas, a row of which holds one of the values in any column.

    A row's text shows every column: json as it is written, with backslashes doubled, and bytea in hexadecimal
    digits.
    """
    plain = [value.decode() for value in wanted]
    patterns = {*plain, *(value.replace("\\", "\\\\") for value in plain), *(value.hex() for value in wanted)}
    tables = [row["name"] for row in await connection.fetch(_TABLES)]
    assert len(tables) > 30, "the schemas were not seen: this would prove nothing"
    found = []
    for table in tables:
        holds = f"SELECT FROM {table} t, unnest($1::text[]) AS p WHERE strpos(lower(t::text), p) > 0"
        sql = f"SELECT EXISTS ({holds})"
        if await connection.fetchval(sql, [pattern.lower() for pattern in patterns]):
            found.append(table)
    return found


def in_files(files: Iterable[Path], wanted: Sequence[bytes]) -> list[str]:
    """The names of the files that hold one of the values."""
    return [path.name for path in files if in_bodies([path.read_bytes()], wanted)]


def in_bodies(bodies: Iterable[bytes], wanted: Sequence[bytes]) -> bool:
    """Whether one of the bodies holds one of the values."""
    lowered = [value.lower() for value in wanted]
    return any(value in body.lower() for body in bodies for value in lowered)
