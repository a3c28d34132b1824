"""Take due deliveries in hand, with what it needs to send them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import Claim
from notification_service.domain.retry import MAX_TRIES
from notification_service.domain.signing import MAX_LIVE_SECRETS, SigningSecret
from notification_service.persistence import queue, secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A claimed delivery and the secrets that sign it, the current one first."""

    claim: Claim
    secrets: Sequence[SigningSecret]


async def claim_deliveries(
    connection: AsyncConnection,
    *,
    held: Mapping[UUID, int],
    per_endpoint: int,
    probes: int,
    limit: int,
    lease: timedelta,
    clock: Clock,
    new_id: IdFactory,
) -> list[Outgoing]:
    """Up to `limit` due deliveries, leased to the caller; the endpoints take turns.

    `held` says how many the caller has in hand already for each endpoint. Up to `probes` of them each try an
    endpoint whose circuit is not closed, and which gives nothing else.
    """
    now = clock.now()
    claims = await queue.claim(
        connection,
        now=now,
        lease_until=now + lease,
        token=new_id(),
        held=held,
        per_endpoint=per_endpoint,
        probes=probes,
        max_tries=MAX_TRIES,
        limit=limit,
    )
    if not claims:
        return []
    endpoint_ids = sorted({claim.endpoint_id for claim in claims})
    live = await secrets.load_live(connection, endpoint_ids, now=now, limit=MAX_LIVE_SECRETS)
    return [Outgoing(claim=claim, secrets=live.get(claim.endpoint_id, ())) for claim in claims]
