"""What ends before its time: the tokens of a client or a person until an instant, or one token by name."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from identity_service.domain.token import LIFETIME

# More than clocks may differ: until then somebody may take a token for one that has not expired.
SLACK = timedelta(minutes=5)
# After that there is nothing left to revoke.
TOLD_FOR = LIFETIME + SLACK


class RevocationKind(StrEnum):
    """Whose tokens are meant."""

    CLIENT = "client"
    PERSON = "person"
    TOKEN = "token"  # noqa: S105  a kind, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """`subject` is a client's id, a person's, or a token's `jti`; `issued_until` is None for the last, for
    which `told_until` is a little after its expiry."""

    id: UUID
    kind: RevocationKind
    subject: str
    issued_until: datetime | None
    told_until: datetime
    author: str
    revoked_at: datetime


def all_tokens_of(
    kind: RevocationKind, subject: str, *, author: str, at: datetime, revocation_id: UUID
) -> Revocation:
    """The end of every token that was issued to a client or a person until now."""
    assert kind is not RevocationKind.TOKEN, "one token is revoked by its name"
    return Revocation(
        id=revocation_id,
        kind=kind,
        subject=subject,
        issued_until=at,
        told_until=at + TOLD_FOR,
        author=author,
        revoked_at=at,
    )
