"""Revoke one access token before its time (RFC 7009)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.revocation import SLACK, Revocation, RevocationKind
from identity_service.domain.signing_key import SigningKey
from identity_service.domain.token import read_token
from identity_service.persistence import revocations, signing_keys


class TokenOfAnother(Exception):
    """The token was issued to somebody else."""


async def revoke_token(
    connection: AsyncConnection,
    token: str,
    *,
    client_id: str,
    origin: Origin,
    clock: Clock,
    new_id: IdFactory,
) -> bool:
    """Whether there was anything to revoke: what is no token of ours, or has expired, opens nothing anyway.

    Raises TokenOfAnother.
    """
    at = clock.now()
    keys = await signing_keys.verifying(connection, now=at)
    claims = read_token(token, verify=lambda kid, signed, proof: _is_signed(keys, kid, signed, proof))
    if claims is None:
        return False
    if claims["sub"] != f"client:{client_id}":
        raise TokenOfAnother
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    if expires_at <= at:
        return False
    revocation = Revocation(
        id=new_id(),
        kind=RevocationKind.TOKEN,
        subject=claims["jti"],
        issued_until=None,
        told_until=expires_at + SLACK,
        author=f"client:{client_id}",
        revoked_at=at,
    )
    await revocations.add(connection, revocation)
    entry = Entry(action="token.revoked", subject_type="token", subject=claims["jti"])
    await record(connection, origin, entry, at=at)
    return True


def _is_signed(keys: Sequence[SigningKey], kid: str, signed: bytes, proof: bytes) -> bool:
    key = next((one for one in keys if one.kid == kid), None)
    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(proof, signed)
    except InvalidSignature:
        return False
    return True
