"""The composition root: the only place where the parts of the fraud service are made and joined."""

from importlib.metadata import version

from contracts.messages import PaymentInitiated
from fastapi import FastAPI
from messaging.runtime import Messaging, MessagingSettings
from service_kit.auth import ApiKeys
from service_kit.clock import Clock, SystemClock
from service_kit.database import Database
from service_kit.health import HealthServer
from service_kit.http import HttpServer, create_app
from service_kit.lifecycle import Process, Role
from service_kit.migrations import Migrations, run_migrations
from service_kit.telemetry import configure_logging, configure_tracing
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.api.decision_routes import decision_routes
from fraud_service.api.problems import ERRORS
from fraud_service.api.review_routes import review_routes
from fraud_service.api.rule_routes import rule_routes
from fraud_service.consumers.payment_initiated import ScreenInitiatedPayments
from fraud_service.consumers.upkeep import Upkeep
from fraud_service.settings import FraudSettings

SERVICE = FraudSettings.service


def make_api(database: Database, api_keys: ApiKeys, clock: Clock) -> FastAPI:
    """The HTTP application."""
    return create_app(
        service=SERVICE,
        title="Florin fraud service",
        version=version("florin-fraud-service"),
        description="Screens every payment, keeps every decision, and lets people decide what rules cannot.",
        api_keys=api_keys,
        routers=[rule_routes(database, clock), review_routes(database, clock), decision_routes(database)],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` answers people, `worker` screens, `all` does both."""
    settings = FraudSettings.read()
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
        handlers={PaymentInitiated: ScreenInitiatedPayments(clock=clock)},
        now=clock.now,
    )
    process = _process(settings, database)
    # In the order of the start; the drain goes the other way, so that the relay sends what the others wrote.
    process.add("gauges", messaging.gauges)
    process.add("relay", messaging.relay)
    if role in ("all", "worker"):
        process.add("upkeep", Upkeep(transaction=database.transaction, clock=clock))
        process.add("replayer", messaging.replayer)
        process.add("consumer", messaging.consumer)
    if role in ("all", "api"):
        api = make_api(database, ApiKeys.load(settings.api_keys_file, settings.api_key_pepper), clock)
        process.add("http", _server(settings, api))
    return process


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    settings = FraudSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    url = settings.migration_database_url or settings.database_url
    return await run_migrations(SERVICE, url, script_location=settings.migrations_dir)


def _process(settings: FraudSettings, database: Database) -> Process:
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


def _server(settings: FraudSettings, api: FastAPI) -> HttpServer:
    return HttpServer(
        api, host=settings.http_host, port=settings.http_port, drain_delay_s=settings.drain_delay_s
    )
