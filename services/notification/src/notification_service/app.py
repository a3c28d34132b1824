"""Composition root: the only place that constructs things."""

import random
import secrets
from importlib.metadata import version

from fastapi import FastAPI
from messaging.runtime import Messaging, MessagingSettings
from service_kit.auth import ApiKeys
from service_kit.clock import SystemClock
from service_kit.database import Database
from service_kit.health import HealthServer
from service_kit.http import HttpServer, create_app
from service_kit.ids import uuid7
from service_kit.lifecycle import Process, Role
from service_kit.migrations import Migrations, run_migrations
from service_kit.telemetry import configure_logging, configure_tracing
from sqlalchemy.ext.asyncio import AsyncConnection

from .api import deliveries, endpoints
from .api.errors import ERRORS
from .api.parts import Parts
from .consumers.payments import payment_handlers
from .delivery.worker import DeliveryWorker
from .outbound.resolver import SystemResolver, TargetCheck
from .outbound.sender import WebhookSender
from .settings import NotificationSettings

SERVICE = "notification"


def build(role: Role) -> Process:
    """The process of one role: `api` answers clients, `worker` consumes and delivers, `all` does both."""
    settings = NotificationSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    configure_tracing(service=SERVICE)
    wakers: list[DeliveryWorker] = []

    def after_commit(connection: AsyncConnection) -> None:
        for worker in wakers:
            worker.nudge_if_due(connection)

    database = Database(
        settings.database_url,
        after_commit=after_commit,
        pool_size=settings.database_pool_size,
        application_name=f"florin-{SERVICE}",
    )
    migrations = Migrations.of(SERVICE, folder=settings.migrations_dir)
    schema_at_head = migrations.check(database)
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
    resolver = SystemResolver()
    process.at_end("resolver", resolver.close)
    target_check = TargetCheck(policy=settings.target_policy, resolver=resolver)
    if role in ("all", "worker"):
        _add_consumer(process, settings, database)
        wakers.append(_add_deliveries(process, settings, database, target_check))
    if role in ("all", "api"):
        _add_api(process, settings, database, target_check)
    return process


def _add_consumer(process: Process, settings: NotificationSettings, database: Database) -> None:
    messaging = Messaging(
        MessagingSettings(
            broker_url=settings.broker_url.get_secret_value(),
            keyring_file=settings.keyring_file,
            namespace=settings.broker_namespace,
        ),
        service=SERVICE,
        transaction=database.transaction,
        handlers=payment_handlers(clock=SystemClock(), new_id=uuid7),
    )
    # No relay: this service hears and publishes nothing.
    process.add("gauges", messaging.gauges)
    process.add("replayer", messaging.replayer)
    process.add("consumer", messaging.consumer)


def _add_deliveries(
    process: Process, settings: NotificationSettings, database: Database, target_check: TargetCheck
) -> DeliveryWorker:
    sender = WebhookSender(check=target_check, limits=settings.send_limits, clock=SystemClock())
    worker = DeliveryWorker(
        database=database,
        sender=sender,
        limits=settings.worker_limits,
        clock=SystemClock(),
        new_id=uuid7,
        draw=random.SystemRandom().random,
    )
    process.add("deliveries", worker)
    process.at_end("webhook connections", sender.close)
    return worker


def _add_api(
    process: Process, settings: NotificationSettings, database: Database, target_check: TargetCheck
) -> None:
    parts = Parts(
        database=database,
        target_check=target_check,
        endpoint_limits=settings.endpoint_limits,
        secret_overlap=settings.secret_overlap,
        clock=SystemClock(),
        new_id=uuid7,
        random_bytes=secrets.token_bytes,
    )
    app = make_api(parts, ApiKeys.load(settings.api_keys_file, settings.api_key_pepper))
    process.add(
        "http",
        HttpServer(
            app,
            host=settings.http_host,
            port=settings.http_port,
            drain_delay_s=settings.drain_delay_s,
        ),
    )


def make_api(parts: Parts, api_keys: ApiKeys) -> FastAPI:
    """The HTTP application."""
    app = create_app(
        service=SERVICE,
        title="Florin notifications",
        version=version("florin-notification-service"),
        description="Webhooks by the Standard Webhooks specification: endpoints, deliveries, replay.",
        api_keys=api_keys,
        routers=[endpoints.router, deliveries.router],
        errors=ERRORS,
    )
    app.state.parts = parts
    return app


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    settings = NotificationSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    url = settings.migration_database_url or settings.database_url
    return await run_migrations(SERVICE, url, script_location=settings.migrations_dir)
