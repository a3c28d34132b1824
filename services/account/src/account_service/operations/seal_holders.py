"""Seal the names of holders that a release before this one has written in plain text."""

from service_kit.database import Database
from service_kit.vault import Vault
from sqlalchemy import text

from account_service.persistence.holders import forget_plain_holders, insert_holders, lock_plain_holders

BATCH = 500
# The owner's address may be a superuser's, whose search path is another.
_IN_SCHEMA = text("SET LOCAL search_path = account")


async def seal_holders(database: Database, vault: Vault, *, batch: int = BATCH) -> int:
    """Seal all there are, each batch in a transaction of its own; how many. `database` is the owner's.

    Done twice it changes nothing. While the release before is still running it may write more of them, and
    does not see the names that are sealed: run it again when that one is gone.
    """
    sealed = 0
    while True:
        async with database.transaction() as connection:
            await connection.execute(_IN_SCHEMA)
            names = await lock_plain_holders(connection, limit=batch)
            if not names:
                return sealed
            await insert_holders(connection, vault, names)
            await forget_plain_holders(connection, list(names))
        sealed += len(names)
