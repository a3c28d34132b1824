"""What the transaction service is told by its environment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, SecretStr
from service_kit.settings import HandleSettings

from transaction_service.outbound.peers import PeerAddresses


@dataclass(frozen=True)
class AcceptLimits:
    """How much the service takes at once.

    `batch`: payments committed together when many arrive at once; more gains little, fewer costs commits.
    `waiting`: requests that may wait for a commit before the service answers 503 rather than be slow to all.
    `max_wait_s`: the longest `Prefer: wait` that is honoured.
    """

    batch: int = 200
    waiting: int = 2000
    max_wait_s: int = 30


DEFAULT_LIMITS = AcceptLimits()


class TransactionSettings(HandleSettings):
    """Beside what every service is told: how people are known by their handles, how much is taken at once
    (see `AcceptLimits`), and where dry runs ask (see `PeerAddresses`)."""

    service: ClassVar[str] = "transaction"

    accept_batch: int = Field(default=DEFAULT_LIMITS.batch, ge=1, le=1000)
    accept_waiting: int = Field(default=DEFAULT_LIMITS.waiting, ge=1, le=100_000)
    account_url: str | None = None
    fraud_url: str | None = None
    service_api_key: SecretStr | None = None
    max_wait_s: int = Field(default=DEFAULT_LIMITS.max_wait_s, ge=0, le=120)

    def unsafe(self) -> Iterator[str]:
        yield from super().unsafe()
        for name in ("ACCOUNT_URL", "FRAUD_URL"):
            yield from self._unsafe_address(name)

    def limits(self) -> AcceptLimits:
        """The limits, as one value."""
        return AcceptLimits(self.accept_batch, self.accept_waiting, self.max_wait_s)

    def peers(self) -> PeerAddresses:
        """Where dry runs ask."""
        key = self.service_api_key
        return PeerAddresses(self.account_url, self.fraud_url, key.get_secret_value() if key else None)
