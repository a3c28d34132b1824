"""The composition root: the only place where the parts of the transaction service are made and joined."""

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from messaging.runtime import Messaging, MessagingSettings
from service_kit.auth import ApiKeys
from service_kit.clock import Clock, SystemClock
from service_kit.database import Database
from service_kit.group_commit import GroupCommit
from service_kit.health import HealthServer
from service_kit.http import HttpServer, create_app
from service_kit.ids import IdFactory, uuid7
from service_kit.lifecycle import Process, Role
from service_kit.migrations import Migrations, run_migrations
from service_kit.telemetry import configure_logging, configure_tracing
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.api.finality import FinalityWatch
from transaction_service.api.payment_routes import PaymentParts, payment_routes
from transaction_service.api.problems import ERRORS
from transaction_service.consumers.handlers import handlers
from transaction_service.operations.accept_payments import Outcome, PaymentRequest, accept_payments
from transaction_service.settings import DEFAULT_LIMITS, AcceptLimits, TransactionSettings

SERVICE = TransactionSettings.service


def make_parts(
    database: Database,
    clock: Clock,
    *,
    limits: AcceptLimits = DEFAULT_LIMITS,
    new_id: IdFactory = uuid7,
) -> PaymentParts:
    """What the API works with. Single payments that arrive together are committed together."""

    async def accept(requests: Sequence[PaymentRequest]) -> Sequence[Outcome]:
        async with database.transaction() as connection:
            return await accept_payments(connection, requests, at=clock.now(), new_id=new_id)

    return PaymentParts(
        database=database,
        clock=clock,
        new_id=new_id,
        writer=GroupCommit(
            accept,
            max_batch=limits.batch,
            max_waiting=limits.waiting,
            # Done twice it finds its own payments by their keys: so a commit of unknown outcome is looked up.
            retry_unknown=True,
        ),
        finality=FinalityWatch(database),
        max_wait_s=limits.max_wait_s,
    )


def make_api(parts: PaymentParts, api_keys: ApiKeys) -> FastAPI:
    """The HTTP application."""
    return create_app(
        service=SERVICE,
        title="Florin transaction service",
        version=version("florin-transaction-service"),
        description="Takes payments, decides their state, and keeps a record that nobody can alter unseen.",
        api_keys=api_keys,
        routers=[payment_routes(parts)],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` takes payments, `worker` moves them on, `all` does both."""
    settings = TransactionSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    configure_tracing(service=SERVICE)
    clock = SystemClock()

    def after_commit(connection: AsyncConnection) -> None:
        messaging.nudge_if_written(connection)

    database = Database(
        settings.database_url,
        after_commit=after_commit,
        pool_size=settings.database_pool_size,
        application_name=f"florin-{SERVICE}",
    )
    messaging = Messaging(
        MessagingSettings(
            broker_url=settings.broker_url.get_secret_value(),
            keyring_file=settings.keyring_file,
            namespace=settings.broker_namespace,
        ),
        service=SERVICE,
        transaction=database.transaction,
        handlers=handlers(clock),
        now=clock.now,
    )
    process = _process(settings, database)
    # In the order of the start; the drain goes the other way, so that the relay sends what the others wrote.
    process.add("gauges", messaging.gauges)
    process.add("relay", messaging.relay)
    if role in ("all", "worker"):
        process.add("replayer", messaging.replayer)
        process.add("consumer", messaging.consumer)
    if role in ("all", "api"):
        parts = make_parts(database, clock, limits=settings.limits())
        api = make_api(parts, ApiKeys.load(settings.api_keys_file, settings.api_key_pepper))
        process.add("writer", parts.writer)
        process.add("finality", parts.finality)
        process.add("http", _server(settings, api))
    return process


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    settings = TransactionSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    url = settings.migration_database_url or settings.database_url
    return await run_migrations(SERVICE, url, script_location=settings.migrations_dir)


def _process(settings: TransactionSettings, database: Database) -> Process:
    schema_at_head = Migrations.of(SERVICE, folder=settings.migrations_dir).check(database)
    health = HealthServer(
        host=settings.internal_host,
        port=settings.internal_port,
        checks={"database": database.ping, "schema": schema_at_head},
    )
    process = Process(
        SERVICE, health, drain_timeout_s=settings.drain_timeout_s, start_timeout_s=settings.start_timeout_s
    )
    process.before_start("database", database.verify_server)
    process.before_start("schema", schema_at_head)
    process.at_end("database", database.close)
    return process


def _server(settings: TransactionSettings, api: FastAPI) -> HttpServer:
    return HttpServer(
        api, host=settings.http_host, port=settings.http_port, drain_delay_s=settings.drain_delay_s
    )
