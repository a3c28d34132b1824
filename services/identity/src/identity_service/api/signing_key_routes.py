"""/v1/signing-keys: the keys that sign tokens, and their rotation."""

from datetime import datetime, timedelta
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field
from service_kit.audit import Audited

from identity_service.api.parts import Administrator, FreshAdministrator, IdentityParts, conflict
from identity_service.api.reading_log import write_reading
from identity_service.api.schemas import Request
from identity_service.domain.signing_key import DEFAULT_OVERLAP, LONGEST_OVERLAP, SigningKey, SigningState
from identity_service.operations.rotate_signing_keys import rotate_signing_keys
from identity_service.persistence import signing_keys

_SHOWN = 100


class SigningRotation(Request):
    """For how long tokens of the old key are still believed."""

    overlap_s: int = Field(
        default=int(DEFAULT_OVERLAP.total_seconds()),
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="0 for a key that has leaked: the tokens that it signed end at once.",
    )


class SigningKeyOut(BaseModel):
    """A signing key's standing."""

    kid: str
    state: SigningState
    made_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    verify_until: datetime | None

    @classmethod
    def of(cls, key: SigningKey) -> Self:
        return cls(
            kid=key.kid,
            state=key.state,
            made_at=key.made_at,
            activated_at=key.activated_at,
            retired_at=key.retired_at,
            verify_until=key.verify_until,
        )


class SigningKeys(BaseModel):
    """Newest first."""

    items: list[SigningKeyOut]


def signing_key_routes(parts: IdentityParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"])

    @router.get("", summary="The keys that sign tokens")
    async def get_signing_keys(caller: Administrator, origin: Audited) -> SigningKeys:
        """For Florin's own staff. Newest first, the last hundred."""
        parts.require_staff(caller)
        async with parts.database.snapshot() as connection:
            keys = await signing_keys.list_newest(connection, limit=_SHOWN)
        await write_reading(parts, origin, "signing-keys.listed", "client", caller.id)
        return SigningKeys(items=[SigningKeyOut.of(key) for key in keys])

    @router.post(
        "/rotations",
        status_code=201,
        summary="Let the next key sign",
        responses=conflict("The key that stands by was made seconds ago: `standby_too_young`."),
    )
    async def rotate_keys(
        caller: FreshAdministrator, origin: Audited, body: SigningRotation | None = None
    ) -> SigningKeys:
        """For Florin's own staff. The key that stands by signs from now on, and a new one stands by; what the
        old one signed is believed for `overlap_s`. Answers the three, the old one first."""
        parts.require_staff(caller)
        overlap_s = (body or SigningRotation()).overlap_s
        async with parts.database.transaction() as connection:
            keys = await rotate_signing_keys(
                connection,
                overlap=timedelta(seconds=overlap_s),
                origin=origin,
                seal=parts.token_maker.seal,
                clock=parts.clock,
                new_id=parts.new_id,
            )
        return SigningKeys(items=[SigningKeyOut.of(key) for key in keys])

    return router
