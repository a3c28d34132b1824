"""How every service's process is put together, once for all of them.

A service's `app.py` lays a foundation from its settings, makes its own parts on it, and asks for the process.
"""

from collections.abc import Callable, Mapping, Sequence

from contracts.catalogue import CATALOGUE
from contracts.messages import Payload
from fastapi import FastAPI
from messaging.processor import Handler
from messaging.runtime import Messaging, MessagingSettings
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.audit.sealing import AuditSealer
from service_kit.auth import Authenticator
from service_kit.authentication import Authentication
from service_kit.certificates import tell_expiry
from service_kit.clock import Clock, SystemClock
from service_kit.database import Database
from service_kit.health import HealthServer
from service_kit.http import HttpServer
from service_kit.lifecycle import Component, Process, Role
from service_kit.measuring import DatabaseGauges
from service_kit.rate_limits import RateLimiter
from service_kit.revisions import Revisions
from service_kit.server_certificates import ServerCertificates, servers_by_tls
from service_kit.settings import BusSettings, ServiceSettings
from service_kit.telemetry import configure_logging, configure_tracing

AfterCommit = Callable[[AsyncConnection], None]
Named = tuple[str, Component]


class Foundation:
    """What a service builds on: its settings, a clock, its database, logs and traces configured."""

    def __init__(self, settings: ServiceSettings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.service = type(settings).service
        self.clock = clock or SystemClock()
        # Called with the connection of each commit, before it returns to the pool.
        self.after_commit: list[AfterCommit] = []
        configure_logging(service=self.service, level=settings.log_level)
        configure_tracing(
            service=self.service,
            endpoint=settings.otlp_endpoint,
            share=settings.trace_share,
            environment=settings.environment,
        )
        tell_expiry(settings.certificate_files)
        self.database = Database(
            settings.database_url,
            after_commit=self._after_commit,
            pool_size=settings.database_pool_size,
            application_name=f"florin-{self.service}",
        )

    def process(
        self,
        role: Role,
        *,
        api: Callable[[Authenticator], FastAPI],
        bus: "Bus | None" = None,
        workers: Sequence[Named] = (),
        behind_api: Sequence[Named] = (),
    ) -> Process:
        """The process of one role: `api` answers HTTP, `worker` consumes and works, `all` does both.
        Without a bus it neither sends messages nor hears any.

        Components start in the order added here and drain in the opposite one: HTTP first, then what stands
        behind it, the consumer, the workers, and the relay last, so that it sends what the others wrote.
        """
        settings = self.settings
        process = self._process()
        if role in ("all", "worker"):
            # First, and so stopped last: it seals what all others wrote.
            process.add("audit sealer", self._sealer())
        if bus is not None:
            bus.add_sending(process)
        if role in ("all", "worker"):
            for name, component in workers:
                process.add(name, component)
            if bus is not None:
                bus.add_hearing(process)
        if role in ("all", "api"):
            for name, component in behind_api:
                process.add(name, component)
            authentication = Authentication.of(settings, self.clock)
            for name, component in authentication.components:
                process.add(name, component)
            process.before_ready("what identity tells", authentication.learnt)
            process.at_end("connections to the issuer", authentication.close)
            app = api(authentication)
            app.state.rate_limiter = limiter = RateLimiter.of(
                settings.rate_limits, _text(settings.redis_url), service=self.service
            )
            for name, shared in limiter.components:
                process.add(name, shared)
            process.at_end("rate limits", limiter.close)
            app.state.server.proxies = settings.proxies
            server = HttpServer(
                app, host=settings.http_host, port=settings.http_port, drain_delay_s=settings.drain_delay_s
            )
            process.add("http", server)
        return process

    def _sealer(self) -> AuditSealer:
        return AuditSealer(self.service, transaction=self.database.transaction, clock=self.clock)

    def _after_commit(self, connection: AsyncConnection) -> None:
        for hook in self.after_commit:
            hook(connection)

    def _process(self) -> Process:
        settings = self.settings
        schema_at_head = Revisions.of(self.service, folder=settings.migrations_dir).check(self.database)
        process = Process(
            self.service,
            HealthServer(
                host=settings.internal_host,
                port=settings.internal_port,
                checks={"database": self.database.ping, "schema": schema_at_head},
            ),
            drain_timeout_s=settings.drain_timeout_s,
            start_timeout_s=settings.start_timeout_s,
        )
        process.before_start("database", self.database.verify_server)
        if not settings.is_development:
            process.before_start("database role", self.database.refuse_superuser)
        process.before_start("schema", schema_at_head)
        process.at_end("database", self.database.close)
        process.add("database gauges", DatabaseGauges(self.database, pool_size=settings.database_pool_size))
        by_tls = list(servers_by_tls(settings.server_addresses))
        if by_tls:
            process.add("server certificates", ServerCertificates(by_tls))
        return process


class Bus:
    """A service's place on the message bus: its outbox's relay, and the consumer of its queue."""

    def __init__(
        self, foundation: Foundation, settings: BusSettings, *, handlers: Mapping[type[Payload], Handler]
    ) -> None:
        self._foundation = foundation
        where = MessagingSettings(
            broker_url=settings.broker_url.get_secret_value(),
            keyring_file=settings.keyring_file,
            namespace=settings.broker_namespace,
        )
        self._messaging = Messaging(
            where,
            service=foundation.service,
            transaction=foundation.database.transaction,
            handlers=handlers,
            now=foundation.clock.now,
        )

    def add_sending(self, process: Process) -> None:
        """What belongs into every process of the service: the relay, if it sends anything at all."""
        process.add("gauges", self._messaging.gauges)
        if any(entry.producer == self._foundation.service for entry in CATALOGUE):
            self._foundation.after_commit.append(self._messaging.nudge_if_written)
            process.add("relay", self._messaging.relay)

    def add_hearing(self, process: Process) -> None:
        """What belongs into its workers."""
        process.add("replayer", self._messaging.replayer)
        process.add("consumer", self._messaging.consumer)


async def migrate(settings: ServiceSettings) -> str:
    """Bring the service's schema to head, as its owner; returns the revision."""
    # Here alone: a service that only runs does without alembic's modules.
    from service_kit.migrations import run_migrations

    service = type(settings).service
    configure_logging(service=service, level=settings.log_level)
    url = settings.migration_database_url or settings.database_url
    return await run_migrations(service, url, script_location=settings.migrations_dir)


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
