"""Messages and logs: only the attributes and fields that the catalogue knows, and no secret anywhere."""

from collections.abc import Mapping
from pathlib import Path

import orjson
from contracts.catalogue import BY_NAME

from florin.services import SERVICES
from florin.verification.checks import Audit, Check, Finding, found

ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence", "data"}
    | {"traceparent", "causationid"}
)
_FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(entry.payload.model_fields) for name, entry in BY_NAME.items()
}
_PREFETCH = 1000
_BLOCK = 4 * 1024 * 1024


async def known_attributes(audit: Audit) -> Finding:
    """Each message in an outbox bears only what its type has, and is the one that its row says."""
    checked = 0
    for schema in SERVICES:
        rows = f"SELECT position, event_id, type, subject, body FROM {schema}.outbox ORDER BY position"  # noqa: S608
        async for row in audit.snapshot.cursor(rows, prefetch=_PREFETCH):
            checked += 1
            fault = _fault(row["body"], row["type"])
            if fault is None and f'"id":"{row["event_id"]}"' not in row["body"]:
                fault = "is not the message that its row names"
            if fault is not None:
                return found(checked, f"{schema}.outbox position {row['position']} {fault}")
    return found(checked, None)


async def no_secret_in_logs(audit: Audit) -> Finding:
    """No password, key or pepper of this installation stands in a log."""
    if not audit.log_files or not audit.secrets:
        return Finding(ok=None, checked=0, note="no logs or no secrets to compare")
    sought = {name: secret.encode() for name, secret in audit.secrets.items()}
    for path in audit.log_files:
        if (name := _secret_in(Path(path), sought)) is not None:
            return found(len(audit.log_files), f"{path} holds the secret {name}")
    return found(len(audit.log_files), None)


def _secret_in(path: Path, sought: Mapping[str, bytes]) -> str | None:
    longest = max(map(len, sought.values()))
    tail = b""
    with path.open("rb") as log:
        while block := log.read(_BLOCK):
            text = tail + block
            for name, secret in sought.items():
                if secret in text:
                    return name
            tail = text[-longest:]
    return None


def _fault(body: str, type_: str) -> str | None:
    try:
        event = orjson.loads(body)
        attributes, fields = set(event), set(event["data"])
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return "is not an event"
    if event.get("type") != type_ or type_ not in _FIELDS:
        return f"is of another type than {type_}"
    if extra := attributes - ATTRIBUTES:
        return f"bears the attribute {sorted(extra)[0]}"
    if extra := fields - _FIELDS[type_]:
        return f"bears the field {sorted(extra)[0]}"
    return None


CHECKS: tuple[Check, ...] = (
    Check(10, "messages bear only what the catalogue knows", known_attributes),
    Check(10, "no secret stands in a log", no_secret_in_logs),
)
