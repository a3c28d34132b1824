"""The composition root: the only place where the parts of the account service are made and joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from contracts.messages import PostingRequested, VoidRequested
from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Bus, Foundation
from service_kit.audit.routes import audit_routes
from service_kit.auth import Authenticator
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.http import create_app
from service_kit.ids import uuid7
from service_kit.key_encryption_keys import KeyEncryptionKeys
from service_kit.lifecycle import Process, Role
from service_kit.telemetry import configure_logging
from service_kit.vault import Vault
from service_kit.wrapped_keys import rotate_keys

from account_service.api.collection_routes import collection_routes
from account_service.api.customer_reading_routes import customer_reading_routes
from account_service.api.customer_routes import customer_routes
from account_service.api.dry_run_routes import dry_run_routes
from account_service.api.limit_routes import limit_routes
from account_service.api.outside_money_routes import outside_money_routes
from account_service.api.parts import AccountParts
from account_service.api.problems import ERRORS
from account_service.api.proposal_routes import proposal_routes
from account_service.api.reading_routes import reading_routes
from account_service.api.reversal_policy_routes import reversal_policy_routes
from account_service.api.settlement_routes import settlement_routes
from account_service.api.standing_routes import standing_routes
from account_service.api.statement_routes import statement_routes
from account_service.api.writing_routes import writing_routes
from account_service.consumers.expiry import HoldExpiry
from account_service.consumers.posting_requested import PostRequestedPayments
from account_service.operations.seal_holders import seal_holders
from account_service.persistence.wrapped_keys import KEPT
from account_service.settings import AccountSettings

SERVICE = AccountSettings.service

_log = structlog.stdlib.get_logger(__name__)


def make_api(
    database: Database,
    api_keys: Authenticator,
    clock: Clock,
    vault: Vault,
    *,
    default_region: str | None = None,
) -> FastAPI:
    """The HTTP application."""
    parts = AccountParts(
        database=database, clock=clock, new_id=uuid7, vault=vault, default_region=default_region
    )
    return create_app(
        service=SERVICE,
        title="Florin account service",
        version=version("florin-account-service"),
        description="Keeps accounts and the double-entry ledger: every balance is the sum of its entries.",
        api_keys=api_keys,
        routers=[
            writing_routes(parts),
            standing_routes(parts),
            outside_money_routes(parts),
            settlement_routes(parts),
            reversal_policy_routes(parts),
            collection_routes(parts),
            dry_run_routes(parts),
            reading_routes(parts),
            statement_routes(parts),
            limit_routes(parts),
            proposal_routes(parts),
            customer_routes(parts),
            customer_reading_routes(parts),
            audit_routes(parts),
        ],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` answers clients, `worker` posts and ends holds, `all` does both."""
    settings = AccountSettings.read()
    foundation = Foundation(settings)
    database, clock, vault = foundation.database, foundation.clock, open_vault(settings)
    requests = PostRequestedPayments(clock=clock)
    return foundation.process(
        role,
        bus=Bus(foundation, settings, handlers={PostingRequested: requests, VoidRequested: requests}),
        workers=[("expiry", HoldExpiry(transaction=database.transaction, clock=clock))],
        api=lambda api_keys: make_api(
            database, api_keys, clock, vault, default_region=settings.default_region
        ),
    )


async def migrate() -> str:
    """Bring the schema to head, as its owner, and seal what an earlier release kept of people unsealed."""
    settings = AccountSettings.read()
    revision = await assembly.migrate(settings)
    async with _as_owner(settings) as database:
        sealed = await seal_holders(database, open_vault(settings))
    if sealed:
        _log.info("sealed the names of holders", accounts=sealed)
    return revision


async def rotate() -> None:
    """Bring every person's key under the active key-encryption key; the service may go on running."""
    settings = AccountSettings.read()
    configure_logging(service=SERVICE, level=settings.log_level)
    async with _as_owner(settings) as database:
        rotation = await rotate_keys(database, open_vault(settings), KEPT)
    _log.info("wrapped people's keys anew", rewrapped=rotation.rewrapped, kept=dict(rotation.kept))
    if rotation.broken:
        _log.error("keys that do not unwrap were left as they are", rows=list(rotation.broken))


def open_vault(settings: AccountSettings) -> Vault:
    """The vault on the key-encryption keys of the settings' file; raises KeyEncryptionKeysError."""
    keys = KeyEncryptionKeys.load(settings.key_encryption_keys_file)
    return Vault(keys, handle_key=settings.handle_key)


@asynccontextmanager
async def _as_owner(settings: AccountSettings) -> AsyncIterator[Database]:
    url = settings.migration_database_url or settings.database_url
    database = Database(url, pool_size=1, application_name=f"florin-migrate-{SERVICE}")
    try:
        yield database
    finally:
        await database.close()
