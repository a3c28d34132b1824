"""Make the keys that sign tokens, and let the one that stands by take over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.signing_key import SigningKey, SigningState
from identity_service.domain.token import thumbprint
from identity_service.persistence import signing_keys
from identity_service.persistence.key_seal import KeySeal

AT_START = "identity"


async def ensure_signing_keys(
    connection: AsyncConnection, *, seal: KeySeal, clock: Clock, new_id: IdFactory
) -> SigningKey:
    """The key that signs; the first start makes it, and the one that stands by.

    Opens it once, so that a process that cannot does not start: raises UnknownKeyEncryptionKey or
    SigningKeySealBroken.
    """
    await signing_keys.lock(connection)
    active = await signing_keys.current(connection, SigningState.ACTIVE)
    if active is None:
        at = clock.now()
        active = replace(_make(seal, at), state=SigningState.ACTIVE, activated_at=at)
        for key in (active, _make(seal, at)):
            await signing_keys.insert(connection, key)
            await signing_keys.record_change(connection, key, change_id=new_id(), author=AT_START, at=at)
    seal.open(active)
    return active


async def rotate_signing_keys(
    connection: AsyncConnection,
    *,
    overlap: timedelta,
    origin: Origin,
    seal: KeySeal,
    clock: Clock,
    new_id: IdFactory,
) -> Sequence[SigningKey]:
    """The key that stands by signs from now on, a new one stands by, the old one verifies for the overlap.

    Returns the retired, the active and the next key. All services know the one that takes over, for it has
    been published since it was made; raises StandbyTooYoung while that is too recent. Without an overlap the
    old key has leaked, and must end at once whoever knows the new one.
    """
    await signing_keys.lock(connection)
    old = await signing_keys.current(connection, SigningState.ACTIVE)
    standby = await signing_keys.current(connection, SigningState.NEXT)
    assert old is not None, "the service starts with a key that signs"
    assert standby is not None, "the service starts with a key that stands by"
    at = clock.now()
    if overlap:
        standby.require_known(at)
    retired = replace(old, state=SigningState.RETIRED, retired_at=at, verify_until=at + overlap)
    active = replace(standby, state=SigningState.ACTIVE, activated_at=at)
    fresh = _make(seal, at)
    # In this order: at most one key is in each of the two states.
    await signing_keys.save_state(connection, retired)
    await signing_keys.save_state(connection, active)
    await signing_keys.insert(connection, fresh)
    for key in (retired, active, fresh):
        await signing_keys.record_change(connection, key, change_id=new_id(), author=origin.actor, at=at)
    entry = Entry(
        action="signing-key.rotated",
        subject_type="signing-key",
        subject=active.kid,
        before={"kid": retired.kid},
        after={"kid": active.kid, "verify_until": retired.verify_until},
    )
    await record(connection, origin, entry, at=at)
    return (retired, active, fresh)


def _make(seal: KeySeal, at: datetime) -> SigningKey:
    private_key = Ed25519PrivateKey.generate()
    public_key = private_key.public_key().public_bytes_raw()
    kid = thumbprint(public_key)
    sealed, wrapping = seal.seal(private_key, kid)
    return SigningKey(
        kid=kid,
        state=SigningState.NEXT,
        public_key=public_key,
        sealed=sealed,
        key_encryption_key=wrapping,
        made_at=at,
    )
