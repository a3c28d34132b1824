"""A client's keys as they go over the wire."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints

from identity_service.api.schemas import LINE_PATTERN, Reason, Request, Scopes
from identity_service.domain.api_key import LONGEST_OVERLAP, ApiKey, KeyState

Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=LINE_PATTERN)]
DEFAULT_OVERLAP_S = 86_400


def _is_text(value: object) -> object:
    # Lax reading of times would take numbers for Unix time.
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 time, written as a string")  # noqa: TRY004 - pydantic's way
    return value


# Bounded, because the ends of the calendar overflow when they are turned into UTC.
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_is_text),
    Field(strict=False, ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
]


class NewKey(Request):
    """A key to be issued."""

    label: Label = Field(description="What people call it: where it is used.")
    scopes: Scopes | None = Field(default=None, description="Left out: all that the client may do.")
    not_after: Time | None = Field(default=None, description="From then on it opens nothing.")


class KeyRotation(Request):
    """For how long the replaced key goes on."""

    overlap_s: int = Field(
        default=DEFAULT_OVERLAP_S,
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="0 cuts off a key that has leaked.",
    )


class KeyRevocation(Request):
    """Why a key is to open nothing any more."""

    reason: Reason


class KeyOut(BaseModel):
    """A key without its secret."""

    id: UUID
    prefix: str
    client: str
    label: str
    scopes: list[str]
    state: KeyState
    issued_at: datetime
    not_after: datetime | None
    replaces: UUID | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: ApiKey, at: datetime) -> Self:
        return cls(
            id=key.id,
            prefix=key.prefix,
            client=key.client_id,
            label=key.label,
            scopes=sorted(key.scopes),
            state=key.state(at),
            issued_at=key.issued_at,
            not_after=key.not_after,
            replaces=key.replaces,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class IssuedKey(BaseModel):
    """The only answer that ever shows `secret`, the key itself."""

    key: KeyOut
    secret: str


class RotatedKey(BaseModel):
    """The new key, shown this once, and the old one with the end that it has now."""

    key: KeyOut
    secret: str
    replaced: KeyOut


class KeyPage(BaseModel):
    """A client's keys, oldest first, ended ones too."""

    items: list[KeyOut]
    next_cursor: str | None
