"""What the notification service is told by its environment."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode
from service_kit.settings import BusSettings

from .delivery.worker import WorkerLimits
from .domain.target import TargetPolicy
from .operations.register_endpoint import EndpointLimits
from .outbound.sender import SendLimits

Port = Annotated[int, Field(ge=1, le=65535)]


class NotificationSettings(BusSettings):
    """FLORIN_WEBHOOK_…: where webhooks may go, how hard they are tried, how much at once."""

    service: ClassVar[str] = "notification"

    webhook_allow_private: bool = False
    webhook_allow_http: bool = False
    webhook_ports: Annotated[frozenset[Port], NoDecode] = frozenset({443, 8443})

    webhook_max_endpoints: int = Field(default=20, ge=1, le=1_000)
    webhook_max_endpoints_kept: int = Field(default=500, ge=1, le=100_000)
    webhook_secret_overlap_s: int = Field(default=86_400, ge=0, le=604_800)
    webhook_disable_after_s: int = Field(default=432_000, ge=60, le=31_536_000)

    webhook_timeout_s: float = Field(default=20.0, gt=0, le=60)
    webhook_lease_s: float = Field(default=90.0, gt=0, le=3_600)
    webhook_concurrency: int = Field(default=64, ge=1, le=1_000)
    webhook_concurrency_per_endpoint: int = Field(default=8, ge=1, le=100)
    webhook_poll_s: float = Field(default=1.0, gt=0, le=60)

    @field_validator("webhook_ports", mode="before")
    @classmethod
    def _split_ports(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError("ports separated by commas, such as 443,8443")
        return frozenset(int(part) for part in parts)

    @model_validator(mode="after")
    def _lease_outlasts_attempts(self) -> "NotificationSettings":
        # An attempt that outlived its lease would be sent by two workers at once.
        if self.webhook_lease_s < 2 * self.webhook_timeout_s:
            raise ValueError("FLORIN_WEBHOOK_LEASE_S must be at least twice FLORIN_WEBHOOK_TIMEOUT_S")
        return self

    def unsafe(self) -> Iterator[str]:
        yield from super().unsafe()
        if self.webhook_allow_private:
            yield "WEBHOOK_ALLOW_PRIVATE: must not be set: it opens what is behind the firewall to clients"
        if self.webhook_allow_http:
            yield "WEBHOOK_ALLOW_HTTP: must not be set: what is told would go over the network in the open"

    @property
    def target_policy(self) -> TargetPolicy:
        return TargetPolicy(
            allow_private=self.webhook_allow_private,
            allow_http=self.webhook_allow_http,
            ports=self.webhook_ports,
        )

    @property
    def endpoint_limits(self) -> EndpointLimits:
        return EndpointLimits(standing=self.webhook_max_endpoints, kept=self.webhook_max_endpoints_kept)

    @property
    def secret_overlap(self) -> timedelta:
        return timedelta(seconds=self.webhook_secret_overlap_s)

    @property
    def send_limits(self) -> SendLimits:
        return SendLimits(
            total_s=self.webhook_timeout_s,
            connect_s=min(5.0, self.webhook_timeout_s),
            connections=self.webhook_concurrency,
        )

    @property
    def worker_limits(self) -> WorkerLimits:
        return WorkerLimits(
            concurrency=self.webhook_concurrency,
            per_endpoint=self.webhook_concurrency_per_endpoint,
            lease=timedelta(seconds=self.webhook_lease_s),
            poll_s=self.webhook_poll_s,
            disable_after=timedelta(seconds=self.webhook_disable_after_s),
        )
