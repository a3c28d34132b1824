"""What people sign in by: a password's hash, the secret of an authenticator, recovery codes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.sealed import Place
from service_kit.vault import DataKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SECRETS = "totp_secrets"
_HASH = text("SELECT hash FROM password_hashes WHERE person_id = :person")
_SET_HASH = text(
    """
    INSERT INTO password_hashes (person_id, hash, set_at) VALUES (:person, :hash, :at)
    ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at
    """
)
_SECRET = text(
    """
    SELECT id, secret, last_step FROM totp_secrets
    WHERE person_id = :person AND ended_at IS NULL AND (confirmed_at IS NOT NULL) = :confirmed
    """
)
_NEW_SECRET = text(
    "INSERT INTO totp_secrets (id, person_id, secret, made_at) VALUES (:id, :person, :secret, :at)"
)
_END_SECRETS = text(
    """
    UPDATE totp_secrets SET ended_at = :at
    WHERE person_id = :person AND ended_at IS NULL AND (:unconfirmed_too OR confirmed_at IS NOT NULL)
        AND (:confirmed_too OR confirmed_at IS NULL)
    """
)
_CONFIRM = text("UPDATE totp_secrets SET confirmed_at = :at, last_step = :step WHERE id = :id")
# Of any number at once one finds the step unspent: the others wait for its commit and look again.
_SPEND_STEP = text(
    """
    UPDATE totp_secrets SET last_step = :step
    WHERE id = :id AND last_step < :step AND confirmed_at IS NOT NULL AND ended_at IS NULL
    """
)
_SPEND_CODE = text(
    """
    UPDATE recovery_codes SET spent_at = :at
    WHERE person_id = :person AND digest = :digest AND spent_at IS NULL
    """
)
_SPEND_CODES = text("UPDATE recovery_codes SET spent_at = :at WHERE person_id = :person AND spent_at IS NULL")
_NEW_CODES = text(
    """
    INSERT INTO recovery_codes (person_id, digest, made_at)
    SELECT :person, digest, :at FROM unnest(cast(:digests AS bytea[])) AS made (digest)
    """
)
_CODES_LEFT = text("SELECT count(*) FROM recovery_codes WHERE person_id = :person AND spent_at IS NULL")


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """An authenticator's secret; codes of `last_step` and before are spent."""

    id: UUID
    secret: bytes = field(repr=False)
    last_step: int


async def load_password_hash(connection: AsyncConnection, person: UUID) -> str | None:
    """The hash of the person's password, if one was ever set."""
    found: str | None = (await connection.execute(_HASH, {"person": person})).scalar_one_or_none()
    return found


async def save_password_hash(connection: AsyncConnection, person: UUID, hashed: str, *, at: datetime) -> None:
    """Set or replace it."""
    await connection.execute(_SET_HASH, {"person": person, "hash": hashed, "at": at})


async def load_totp(
    connection: AsyncConnection, key: DataKey, person: UUID, *, confirmed: bool = True
) -> TotpSecret | None:
    """The secret in use, or the one that waits to be confirmed."""
    row = (await connection.execute(_SECRET, {"person": person, "confirmed": confirmed})).one_or_none()
    if row is None:
        return None
    return TotpSecret(row.id, bytes.fromhex(key.open(row.secret, _place(row.id))), row.last_step)


async def offer_totp(
    connection: AsyncConnection, key: DataKey, person: UUID, secret: TotpSecret, *, at: datetime
) -> None:
    """Keep a secret until it is confirmed, in place of any other that waits."""
    await end_totp(connection, person, at=at, confirmed_too=False)
    sealed = key.seal(secret.secret.hex(), _place(secret.id))
    await connection.execute(_NEW_SECRET, {"id": secret.id, "person": person, "secret": sealed, "at": at})


async def confirm_totp(
    connection: AsyncConnection, person: UUID, secret: TotpSecret, *, step: int, at: datetime
) -> None:
    """Put a secret that waits into use, its first step spent, and end the one before."""
    await end_totp(connection, person, at=at, unconfirmed_too=False)
    await connection.execute(_CONFIRM, {"id": secret.id, "step": step, "at": at})


async def end_totp(
    connection: AsyncConnection,
    person: UUID,
    *,
    at: datetime,
    confirmed_too: bool = True,
    unconfirmed_too: bool = True,
) -> None:
    """End the person's secrets, of both kinds unless said otherwise."""
    which = {"confirmed_too": confirmed_too, "unconfirmed_too": unconfirmed_too}
    await connection.execute(_END_SECRETS, {"person": person, "at": at, **which})


async def spend_step(connection: AsyncConnection, secret: TotpSecret, step: int) -> bool:
    """Whether the step was unspent until now; it is spent from here on."""
    return (await connection.execute(_SPEND_STEP, {"id": secret.id, "step": step})).rowcount == 1


async def spend_recovery_code(
    connection: AsyncConnection, person: UUID, digest: bytes, *, at: datetime
) -> bool:
    """Whether this was one of the person's unspent codes; it is spent from here on."""
    spent = await connection.execute(_SPEND_CODE, {"person": person, "digest": digest, "at": at})
    return spent.rowcount == 1


async def replace_recovery_codes(
    connection: AsyncConnection, person: UUID, digests: Iterable[bytes], *, at: datetime
) -> None:
    """Spend what is left, and keep new ones."""
    await connection.execute(_SPEND_CODES, {"person": person, "at": at})
    await connection.execute(_NEW_CODES, {"person": person, "digests": list(digests), "at": at})


async def count_recovery_codes(connection: AsyncConnection, person: UUID) -> int:
    """How many are left."""
    return int((await connection.execute(_CODES_LEFT, {"person": person})).scalar_one())


def _place(secret: UUID) -> Place:
    return Place(_SECRETS, "secret", str(secret))
