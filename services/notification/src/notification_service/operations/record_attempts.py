"""Record what became of attempts, move their deliveries on, switch off endpoints that are gone or dead."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from service_kit.audit import Origin
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.delivery import AttemptError, Finished, settle
from notification_service.domain.endpoint import Endpoint, EndpointStatus, Tries
from notification_service.persistence import endpoints, queue

from .switch_endpoint import save_switched_off


async def record_attempts(
    connection: AsyncConnection,
    finished: Sequence[Finished],
    *,
    disable_after: timedelta,
    draw: Callable[[], float],
    new_id: IdFactory,
) -> list[Endpoint]:
    """Answers the endpoints that this switched off."""
    if not finished:
        return []
    # The endpoints are locked before their deliveries, here and in a replay: no deadlock.
    origin = Origin.of_service("notification")
    before = await endpoints.load_many_for_update(connection, sorted({f.claim.endpoint_id for f in finished}))
    await queue.record(connection, [(f, settle(f, draw=draw)) for f in finished])
    switched_off = []
    for endpoint in before.values():
        tries = _tries([f for f in finished if f.claim.endpoint_id == endpoint.id])
        after = endpoint.after_tries(tries, disable_after=disable_after, draw=draw)
        if after is endpoint:
            continue
        if after.status is not EndpointStatus.ACTIVE:
            await save_switched_off(connection, endpoint, after, origin=origin, new_id=new_id)
            switched_off.append(after)
        else:
            await endpoints.save(connection, after)
    return switched_off


def _tries(finished: Sequence[Finished]) -> Tries:
    answers = [f.answer for f in finished]
    return Tries(
        at=max(f.ended_at for f in finished),
        succeeded=any(answer.succeeded for answer in answers),
        # What went wrong on our side says nothing of the receiver.
        failures=sum(answer.error not in (None, AttemptError.INTERNAL) for answer in answers),
        gone=any(answer.gone for answer in answers),
        probed=any(f.claim.probe for f in finished),
    )
