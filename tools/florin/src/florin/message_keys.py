"""The keys that sign messages, in the file that every process follows: a new one, and an old one dropped.

A producer signs with the last active key that the file names for it; whatever the file names is believed. A
key that stands by comes after the one that signs: where processes have copies of the file, all of them must
know a key before anybody signs with it.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from florin.credentials import keyring_file, new_signing_key, write_private
from florin.errors import StackError
from florin.services import SERVICES

Entry = dict[str, Any]


def rotate(run_dir: Path, *, producers: Collection[str] = SERVICES, standby: bool = False) -> None:
    """Let each producer sign with the key that stands by, or with a new one; with `standby` only see to it
    that there is such a key. Keys that signed are believed until they are dropped. Raises StackError."""
    entries = read(run_dir)
    for producer in producers:
        if not _standing_by(entries, producer):
            entries.append(
                {**new_signing_key(producer, number=_next_number(entries, producer)), "active": False}
            )
        if not standby:
            chosen = _standing_by(entries, producer)[-1]
            for entry in _of(entries, producer):
                entry["active"] = entry is chosen
    write_private(keyring_file(run_dir), {"keys": entries})


def drop(run_dir: Path, key_id: str) -> None:
    """Believe no longer what this key has signed; raises StackError for one that signs or is absent."""
    entries = read(run_dir)
    found = next((entry for entry in entries if entry["id"] == key_id), None)
    if found is None:
        raise StackError(f"there is no key {key_id!r}: there are {', '.join(one['id'] for one in entries)}")
    if found["active"]:
        raise StackError(f"{key_id} signs: `florin keys rotate-messages` lets another one do so")
    write_private(keyring_file(run_dir), {"keys": [one for one in entries if one is not found]})


def states(run_dir: Path) -> list[tuple[str, str, str]]:
    """Each key's id, its producer, and what it is for now."""
    entries = read(run_dir)
    waiting = [one for producer in SERVICES for one in _standing_by(entries, producer)]
    return [
        (
            entry["id"],
            entry["producer"],
            "signs" if entry["active"] else "stands by" if entry in waiting else "is believed",
        )
        for entry in entries
    ]


def read(run_dir: Path) -> list[Entry]:
    """The entries of the file: id, producer, secret, active; raises StackError."""
    path = keyring_file(run_dir)
    try:
        entries: list[Entry] = json.loads(path.read_text())["keys"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({error!r})") from error
    return entries


def _of(entries: list[Entry], producer: str) -> list[Entry]:
    return [entry for entry in entries if entry["producer"] == producer]


def _standing_by(entries: list[Entry], producer: str) -> list[Entry]:
    """Inactive keys behind the one that signs; all others have signed before it."""
    own = _of(entries, producer)
    signs = max((place for place, entry in enumerate(own) if entry["active"]), default=-1)
    return own[signs + 1 :]


def _next_number(entries: list[Entry], producer: str) -> int:
    tails = [str(entry["id"]).rpartition("-")[2] for entry in _of(entries, producer)]
    return max((int(tail) for tail in tails if tail.isdigit()), default=0) + 1
