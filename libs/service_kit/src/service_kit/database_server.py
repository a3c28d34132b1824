"""What a server and a role must be before money is kept there."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MIN_SERVER, MAX_SERVER = 15, 18
_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_SERVER_SETTINGS = """
SELECT current_setting('server_version_num') AS version,
       current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit
"""


class ServerRefused(Exception):
    """The database server runs in a way on which no money can be kept; the text says what to change."""


async def verify(connection: AsyncConnection) -> None:
    """Raises `ServerRefused` unless the server is PostgreSQL 15..18 and keeps what it has committed."""
    row = (await connection.execute(text(_SERVER_SETTINGS))).one()
    refuse_unsafe(int(row.version), fsync=row.fsync, synchronous_commit=row.synchronous_commit)


async def refuse_superuser(connection: AsyncConnection) -> None:
    """Raises `ServerRefused` when the role may do anything: no trigger and no grant would hold it."""
    if (await connection.execute(text(_IS_SUPERUSER))).scalar_one():
        raise ServerRefused("the database's role is a superuser: run as the service's app role")


def refuse_unsafe(version: int, *, fsync: str, synchronous_commit: str) -> None:
    """Judges what the server says of itself; `version` as in `server_version_num`."""
    major = version // 10_000
    if not MIN_SERVER <= major <= MAX_SERVER:
        raise ServerRefused(f"PostgreSQL {major} is not supported: use {MIN_SERVER} to {MAX_SERVER}")
    for name, value in (("fsync", fsync), ("synchronous_commit", synchronous_commit)):
        if value == "off":
            raise ServerRefused(
                f"PostgreSQL runs with {name} = off and could lose what it has confirmed: set {name} = on"
            )
