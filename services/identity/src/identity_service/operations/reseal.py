"""Bring what is kept under key-encryption keys under the newest one, while the service runs."""

from service_kit.database import Database
from service_kit.vault import Vault
from service_kit.wrapped_keys import Rotation, count_keys, rotate_keys

from identity_service.persistence import signing_keys
from identity_service.persistence.key_seal import KeySeal, SigningKeySealBroken
from identity_service.persistence.wrapped_keys import KEPT, SIGNING_KEYS


async def reseal(database: Database, vault: Vault, seal: KeySeal) -> Rotation:
    """Seal signing keys anew, retired ones too, and wrap anew the key of each person, under which their name,
    address and authenticator's secret lie; `database` is entered as the schema's owner.

    Broken off, it goes on where it was when called again. Raises UnknownKeyEncryptionKey.
    """
    resealed, broken = await _reseal_signing_keys(database, seal)
    people = await rotate_keys(database, vault, KEPT)
    return Rotation(
        rewrapped=people.rewrapped + resealed,
        kept=await kept_under(database),
        broken=(*people.broken, *broken),
    )


async def kept_under(database: Database) -> dict[str, int]:
    """How many keys, of people and for signing, lie under each key-encryption key."""
    async with database.snapshot() as connection:
        return await count_keys(connection, [*(kept.name for kept in KEPT), SIGNING_KEYS])


async def _reseal_signing_keys(database: Database, seal: KeySeal) -> tuple[int, list[str]]:
    resealed, broken = 0, []
    async with database.transaction() as connection:
        # Nobody rotates meanwhile.
        await signing_keys.lock(connection)
        for key in await signing_keys.sealed_by_others(connection, active=seal.active_key_id):
            try:
                await signing_keys.save_seal(connection, seal.resealed(key))
            except SigningKeySealBroken:
                broken.append(f"signing_keys {key.kid}")
            else:
                resealed += 1
    return resealed, broken
