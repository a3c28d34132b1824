"""One answer for an idempotency key, for ever: replay what was answered, refuse what differs.

Keys belong to a client. Only requests that did something are remembered: a refused one moved nothing and may
be sent again under its key once the reason is gone. Fields are kept as digests: enough to name those that
differ, and no second copy of anybody's name. Where a field may be personal the digests are keyed: names and
numbers can be guessed, and a guess must not be told from the digest.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.persistence import request_keys
from account_service.persistence.request_keys import AnsweredRequest

_DIGEST_BYTES = 12


class IdempotencyKeyReused(Exception):
    """The client has used the key for another request; `differing` names the fields, or the key itself."""

    def __init__(self, differing: tuple[str, ...]) -> None:
        super().__init__(f"the key was used before with another {', '.join(differing[:5])}")
        self.differing = differing


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request under its key: which operation, and its fields as they were sent.

    `digest_key` is given wherever a field may tell of a person.
    """

    client_id: str
    key: str
    operation: str
    fields: Mapping[str, Any]
    digest_key: bytes | None = field(default=None, repr=False)

    def digests(self) -> dict[str, str]:
        """A short digest of each field's canonical JSON, bound to client, key and field."""
        if self.digest_key is None:
            return self._plain_digests()
        keyed = hmac.new(self.digest_key, digestmod=hashlib.sha256)
        digests = {}
        for name, bound in self._bound_fields():
            one = keyed.copy()
            one.update(bound)
            digests[name] = one.hexdigest()[: 2 * _DIGEST_BYTES]
        return digests

    def differing(self, kept: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the fields whose digests are not those that were kept."""
        told = self.digests()
        names = [*told, *(name for name in kept if name not in told)]
        differing = tuple(name for name in names if told.get(name) != kept.get(name))
        if differing and self.digest_key is not None:
            # A release before this one kept plain digests of the same fields.
            plain = self._plain_digests()
            differing = tuple(name for name in differing if plain.get(name) != kept.get(name))
        return differing

    def _plain_digests(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(bound).hexdigest()[: 2 * _DIGEST_BYTES]
            for name, bound in self._bound_fields()
        }

    def _bound_fields(self) -> Iterator[tuple[str, bytes]]:
        for name, value in self.fields.items():
            canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
            yield name, f"{self.client_id}\n{self.key}\n{name}\n{canonical}".encode()


async def earlier_answer(connection: AsyncConnection, request: KeyedRequest) -> Mapping[str, Any] | None:
    """What the same request was answered before, or None when the key is new.

    Waits for a concurrent request under the same key, and keeps others waiting until the transaction ends:
    call it first. Raises IdempotencyKeyReused.
    """
    await request_keys.take_turn(connection, client_id=request.client_id, key=request.key)
    earlier = await request_keys.load_answered(connection, client_id=request.client_id, key=request.key)
    if earlier is None:
        return None
    if earlier.operation != request.operation:
        raise IdempotencyKeyReused(("Idempotency-Key",))
    differing = request.differing(earlier.field_digests)
    if differing:
        raise IdempotencyKeyReused(differing)
    return earlier.answer


async def remember(
    connection: AsyncConnection, request: KeyedRequest, answer: Mapping[str, Any], *, at: datetime
) -> None:
    """Keep what is needed to answer the same request again."""
    answered = AnsweredRequest(request.operation, request.digests(), answer)
    await request_keys.save_answered(
        connection, answered, client_id=request.client_id, key=request.key, at=at
    )
