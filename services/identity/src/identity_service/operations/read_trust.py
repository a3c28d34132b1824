"""Tell a service which keys are good and which tokens are revoked, if it does not know already."""

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.persistence import trust
from identity_service.persistence.trust import Trust


async def read_trust(
    connection: AsyncConnection, *, known: int | None, clock: Clock
) -> tuple[int, Trust | None]:
    """The version, and what it tells; None when the caller knows this version. On a snapshot: the two are of
    one instant."""
    version = await trust.read_version(connection)
    if version == known:
        return version, None
    return version, await trust.read_trust(connection, now=clock.now())
