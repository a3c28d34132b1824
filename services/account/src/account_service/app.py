"""The composition root: the only place where the parts of the account service are made and joined."""

from importlib.metadata import version

from contracts.messages import PostingRequested
from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Foundation
from service_kit.auth import ApiKeys
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.http import create_app
from service_kit.ids import uuid7
from service_kit.lifecycle import Process, Role

from account_service.api.parts import AccountParts
from account_service.api.problems import ERRORS
from account_service.api.reading_routes import reading_routes
from account_service.api.writing_routes import writing_routes
from account_service.consumers.posting_requested import PostRequestedPayments
from account_service.settings import AccountSettings

SERVICE = AccountSettings.service


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
    foundation = Foundation(AccountSettings.read())
    database, clock = foundation.database, foundation.clock
    return foundation.process(
        role,
        handlers={PostingRequested: PostRequestedPayments(clock=clock)},
        api=lambda api_keys: make_api(database, api_keys, clock),
    )


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    return await assembly.migrate(AccountSettings.read())
