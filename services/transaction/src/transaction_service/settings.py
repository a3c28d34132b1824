"""What the transaction service is told by its environment."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from service_kit.settings import ServiceSettings


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


class TransactionSettings(ServiceSettings):
    """Beside what every service is told: how much it takes at once (see `AcceptLimits`)."""

    service: ClassVar[str] = "transaction"

    accept_batch: int = Field(default=DEFAULT_LIMITS.batch, ge=1, le=1000)
    accept_waiting: int = Field(default=DEFAULT_LIMITS.waiting, ge=1, le=100_000)
    max_wait_s: int = Field(default=DEFAULT_LIMITS.max_wait_s, ge=0, le=120)

    def limits(self) -> AcceptLimits:
        """The limits, as one value."""
        return AcceptLimits(self.accept_batch, self.accept_waiting, self.max_wait_s)
