"""The composition root: the only place where the parts of the fraud service are made and joined."""

from importlib.metadata import version

from contracts.messages import PaymentInitiated
from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Bus, Foundation
from service_kit.audit.routes import AuditParts, audit_routes
from service_kit.auth import Authenticator
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.http import create_app
from service_kit.lifecycle import Process, Role

from fraud_service.api.decision_routes import decision_routes
from fraud_service.api.dry_run_routes import dry_run_routes
from fraud_service.api.problems import ERRORS
from fraud_service.api.review_routes import review_routes
from fraud_service.api.rule_routes import rule_routes
from fraud_service.consumers.payment_initiated import ScreenInitiatedPayments
from fraud_service.consumers.upkeep import Upkeep
from fraud_service.settings import FraudSettings

SERVICE = FraudSettings.service


def make_api(database: Database, api_keys: Authenticator, clock: Clock) -> FastAPI:
    """The HTTP application."""
    return create_app(
        service=SERVICE,
        title="Florin fraud service",
        version=version("florin-fraud-service"),
        description="Screens every payment, keeps every decision, and lets people decide what rules cannot.",
        api_keys=api_keys,
        routers=[
            rule_routes(database, clock),
            review_routes(database, clock),
            decision_routes(database, clock),
            dry_run_routes(database, clock),
            audit_routes(AuditParts(database, clock)),
        ],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` answers people, `worker` screens, `all` does both."""
    settings = FraudSettings.read()
    foundation = Foundation(settings)
    database, clock = foundation.database, foundation.clock
    return foundation.process(
        role,
        bus=Bus(foundation, settings, handlers={PaymentInitiated: ScreenInitiatedPayments(clock=clock)}),
        workers=[("upkeep", Upkeep(transaction=database.transaction, clock=clock))],
        api=lambda api_keys: make_api(database, api_keys, clock),
    )


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    return await assembly.migrate(FraudSettings.read())
