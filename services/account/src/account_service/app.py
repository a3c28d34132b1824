"""The composition root: the only place where the parts of the account service are made and joined."""

from collections.abc import Callable
from importlib.metadata import version

from contracts.messages import PostingRequested
from fastapi import FastAPI
from messaging.runtime import Messaging, MessagingSettings
from pydantic import SecretStr
from service_kit.auth import ApiKeys
from service_kit.clock import Clock, SystemClock
from service_kit.database import Database
from service_kit.health import HealthServer
from service_kit.http import HttpServer, create_app
from service_kit.ids import uuid7
from service_kit.lifecycle import Process, Role
from service_kit.migrations import Migrations, run_migrations
from service_kit.telemetry import configure_logging, configure_tracing
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.api.parts import AccountParts
from account_service.api.problems import ERRORS
from account_service.api.reading_routes import reading_routes
from account_service.api.writing_routes import writing_routes
from account_service.consumers.posting_requested import PostRequestedPayments
from account_service.persistence.planning import prefer_indexes
from account_service.settings import AccountSettings

SERVICE = AccountSettings.service


def make_database(
    url: str | SecretStr,
    *,
    pool_size: int,
    after_commit: Callable[[AsyncConnection], None] | None = None,
) -> Database:
    """The pool that everything here works on."""
    database = Database(
        url, after_commit=after_commit, pool_size=pool_size, application_name=f"florin-{SERVICE}"
    )
    prefer_indexes(database.engine)
    return database


def make_api(database: Database, api_keys: ApiKeys, clock: Clock) -> FastAPI:
    """The HTTP application."""
    parts = AccountParts(database=database, clock=clock, new_id=uuid7)
    return create_app(
        service=SERVICE,
        title="Florin account service",
        version=version("florin-account-service"),
        description="Keeps accounts and the double-entry ledger: every balance is the sum of its entries.",
        api_keys=api_keys,
        routers=[writing_routes(parts), reading_routes(parts)],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` answers clients, `worker` posts payments, `all` does both."""
    settings = AccountSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    configure_tracing(service=SERVICE)
    clock = SystemClock()

    def after_commit(connection: AsyncConnection) -> None:
        messaging.nudge_if_written(connection)

    database = make_database(
        settings.database_url, pool_size=settings.database_pool_size, after_commit=after_commit
    )
    messaging = Messaging(
        MessagingSettings(
            broker_url=settings.broker_url.get_secret_value(),
            keyring_file=settings.keyring_file,
            namespace=settings.broker_namespace,
        ),
        service=SERVICE,
        transaction=database.transaction,
        handlers={PostingRequested: PostRequestedPayments(clock=clock)},
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
        api = make_api(database, ApiKeys.load(settings.api_keys_file, settings.api_key_pepper), clock)
        process.add("http", _server(settings, api))
    return process


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    settings = AccountSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    url = settings.migration_database_url or settings.database_url
    return await run_migrations(SERVICE, url, script_location=settings.migrations_dir)


def _process(settings: AccountSettings, database: Database) -> Process:
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


def _server(settings: AccountSettings, api: FastAPI) -> HttpServer:
    return HttpServer(
        api, host=settings.http_host, port=settings.http_port, drain_delay_s=settings.drain_delay_s
    )
