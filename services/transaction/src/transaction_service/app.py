"""The composition root: the only place where the parts of the transaction service are made and joined."""

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Bus, Foundation
from service_kit.audit.routes import audit_routes
from service_kit.auth import Authenticator
from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.group_commit import GroupCommit
from service_kit.http import create_app
from service_kit.ids import IdFactory, uuid7
from service_kit.lifecycle import Process, Role

from transaction_service.api.finality import FinalityWatch
from transaction_service.api.parties import Handles
from transaction_service.api.parts import PaymentParts
from transaction_service.api.payment_routes import payment_routes
from transaction_service.api.pending import PendingGauges
from transaction_service.api.problems import ERRORS
from transaction_service.api.proposal_routes import proposal_routes
from transaction_service.api.reversal_limit_routes import reversal_limit_routes
from transaction_service.consumers.handlers import handlers
from transaction_service.operations import figures
from transaction_service.operations.accept_payments import Outcome, PaymentRequest, accept_payments
from transaction_service.outbound.peers import Peers
from transaction_service.settings import DEFAULT_LIMITS, AcceptLimits, TransactionSettings

SERVICE = TransactionSettings.service


def make_parts(
    database: Database,
    clock: Clock,
    *,
    handles: Handles,
    peers: Peers,
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
            name="payments",
            max_batch=limits.batch,
            max_waiting=limits.waiting,
            # Done twice it finds its own payments by their keys: so a commit of unknown outcome is looked up.
            retry_unknown=True,
        ),
        finality=FinalityWatch(database),
        handles=handles,
        peers=peers,
        max_wait_s=limits.max_wait_s,
    )


def make_api(parts: PaymentParts, api_keys: Authenticator) -> FastAPI:
    """The HTTP application."""
    return create_app(
        service=SERVICE,
        title="Florin transaction service",
        version=version("florin-transaction-service"),
        description="Takes payments, decides their state, and keeps a record that nobody can alter unseen.",
        api_keys=api_keys,
        routers=[
            payment_routes(parts),
            reversal_limit_routes(parts),
            proposal_routes(parts),
            audit_routes(parts),
        ],
        errors=ERRORS,
    )


def build(role: Role) -> Process:
    """The process of one role: `api` takes payments, `worker` moves them on, `all` does both."""
    settings = TransactionSettings.read()
    foundation = Foundation(settings)
    peers = Peers(settings.peers())
    parts = make_parts(
        foundation.database,
        foundation.clock,
        handles=Handles(settings.handle_key, settings.default_region),
        peers=peers,
        limits=settings.limits(),
    )
    foundation.after_commit += [parts.finality.tell_committed, figures.count_committed]
    process = foundation.process(
        role,
        bus=Bus(foundation, settings, handlers=handlers(foundation.clock)),
        behind_api=[
            ("writer", parts.writer),
            ("finality", parts.finality),
            ("pending gauges", PendingGauges(foundation.database)),
        ],
        api=lambda api_keys: make_api(parts, api_keys),
    )
    process.at_end("connections of dry runs", peers.close)
    return process


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    return await assembly.migrate(TransactionSettings.read())
