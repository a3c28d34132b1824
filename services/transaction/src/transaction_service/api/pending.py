"""How many payments wait to be decided, and since when: what a payment that never settles shows in."""

from datetime import UTC, datetime

from service_kit.database import Database
from service_kit.measuring import Measuring
from service_kit.telemetry import gauge

from transaction_service.persistence.reading import pending

_PENDING = gauge("payments_pending", "Payments that are PENDING, counted up to 10,000 for each client")
_OLDEST = gauge("payments_oldest_pending_seconds", "Age of the oldest payment that is PENDING; 0 for none")


class PendingGauges(Measuring):
    """Keeps the two gauges true."""

    def __init__(self, database: Database) -> None:
        super().__init__("pending gauges")
        self._database = database

    async def measure(self) -> None:
        async with self._database.snapshot() as connection:
            count, since = await pending(connection)
        _PENDING.set(count)
        # By this machine's clock, which the payments' times are of too.
        age = (datetime.now(UTC) - since).total_seconds() if since is not None else 0.0
        _OLDEST.set(max(0.0, age))
