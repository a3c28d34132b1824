"""Who has seen other clients' payments, for the audit log of both."""

from collections.abc import Iterable

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.database import Database

from fraud_service.domain.payments import ScreenedPayment


class ReadingLog:
    """Writes down what is told of another client's payments, before it is told."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(self, origin: Origin, action: str, payments: Iterable[ScreenedPayment]) -> None:
        """An entry for each other client whose payments are among them; none for the caller's own."""
        seen: dict[str, list[str]] = {}
        for payment in payments:
            if payment.client_id != origin.client_id:
                seen.setdefault(payment.client_id, []).append(str(payment.payment_id))
        entries = [
            Entry(
                action=action,
                subject_type="client",
                subject=client_id,
                client_id=client_id,
                after={"payments": ids},
            )
            for client_id, ids in seen.items()
        ]
        if entries:
            async with self._database.transaction() as connection:
                await record(connection, origin, *entries, at=self._clock.now())
