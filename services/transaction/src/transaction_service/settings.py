"""What the transaction service is told by its environment."""

from typing import ClassVar

from pydantic import Field
from service_kit.settings import ServiceSettings


class TransactionSettings(ServiceSettings):
    """Beside what every service is told: how much it takes at once."""

    service: ClassVar[str] = "transaction"

    # Payments committed together when many arrive at once. More gains little; fewer costs commits.
    accept_batch: int = Field(default=200, ge=1, le=1000)
    # Requests that may wait for a commit before the service answers 503 rather than make all of them slow.
    accept_waiting: int = Field(default=2000, ge=1, le=100_000)
    max_wait_s: int = Field(default=30, ge=0, le=120)
