"""Composition root: the only place that constructs things."""

import random
import secrets
from importlib.metadata import version

from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Bus, Foundation
from service_kit.audit.routes import audit_routes
from service_kit.auth import Authenticator
from service_kit.http import create_app
from service_kit.ids import uuid7
from service_kit.lifecycle import Process, Role

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
    foundation = Foundation(settings)
    resolver = SystemResolver()
    target_check = TargetCheck(policy=settings.target_policy, resolver=resolver)
    sender = WebhookSender(check=target_check, limits=settings.send_limits, clock=foundation.clock)
    worker = DeliveryWorker(
        database=foundation.database,
        sender=sender,
        limits=settings.worker_limits,
        clock=foundation.clock,
        new_id=uuid7,
        draw=random.SystemRandom().random,
    )
    parts = Parts(
        database=foundation.database,
        target_check=target_check,
        endpoint_limits=settings.endpoint_limits,
        secret_overlap=settings.secret_overlap,
        clock=foundation.clock,
        new_id=uuid7,
        random_bytes=secrets.token_bytes,
    )
    foundation.after_commit.append(worker.nudge_if_due)
    process = foundation.process(
        role,
        bus=Bus(foundation, settings, handlers=payment_handlers(clock=foundation.clock, new_id=uuid7)),
        workers=[("deliveries", worker)],
        api=lambda api_keys: make_api(parts, api_keys),
    )
    process.at_end("resolver", resolver.close)
    process.at_end("webhook connections", sender.close)
    return process


def make_api(parts: Parts, api_keys: Authenticator) -> FastAPI:
    """The HTTP application."""
    app = create_app(
        service=SERVICE,
        title="Florin notifications",
        version=version("florin-notification-service"),
        description="Webhooks by the Standard Webhooks specification: endpoints, deliveries, replay.",
        api_keys=api_keys,
        routers=[endpoints.router, deliveries.router, audit_routes(parts)],
        errors=ERRORS,
    )
    app.state.parts = parts
    return app


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    return await assembly.migrate(NotificationSettings.read())
