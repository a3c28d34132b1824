"""/v1/rules: read the rules, their history, and publish a new version."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from service_kit.audit import Audited
from service_kit.clock import Clock
from service_kit.cursors import DEFAULT_LIMIT, Cursor, Limit
from service_kit.database import Database
from service_kit.idempotency import REPLAYED_HEADER

from fraud_service.api.access import RuleReader, RuleWriter
from fraud_service.api.paging import page_of_versions
from fraud_service.api.rule_schemas import (
    MAX_VERSION,
    PublishRulesRequest,
    RuleHistoryAnswer,
    RuleSetAnswer,
    RuleSetSummaryAnswer,
)
from fraud_service.domain.rule_document import read_rule_set
from fraud_service.operations import read_rules
from fraud_service.operations.publish_rules import PublishRules, publish_rules

VersionNumber = Annotated[int, Path(ge=1, le=MAX_VERSION)]


def rule_routes(database: Database, clock: Clock) -> APIRouter:
    """The routes, on one database and clock."""
    router = APIRouter(prefix="/v1/rules", tags=["rules"])

    @router.get("", summary="The rules by which payments are screened now")
    async def get_rules(_client: RuleReader) -> RuleSetAnswer:
        async with database.snapshot() as connection:
            return RuleSetAnswer.of(await read_rules.current_rules(connection))

    @router.put(
        "",
        summary="Publish a new version of the rules",
        responses={409: {"description": "Another version is current by now."}},
    )
    async def put_rules(
        body: PublishRulesRequest, _client: RuleWriter, origin: Audited, response: Response
    ) -> RuleSetAnswer:
        """Takes the place of version `based_on_version`; if another one is current by now, 409
        `rules_version_conflict` names it. Sent again unchanged, it is answered with the version it made."""
        command = PublishRules(
            rule_set=read_rule_set([rule.model_dump() for rule in body.rules]),
            based_on_version=body.based_on_version,
            origin=origin,
            reason=body.reason,
        )
        async with database.transaction() as connection:
            published = await publish_rules(connection, command, clock=clock)
        if published.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return RuleSetAnswer.of(published.record)

    # Before /{version}, which would take the word for a number.
    @router.get("/versions", summary="The history of the rules")
    async def list_rules_versions(
        _client: RuleReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> RuleHistoryAnswer:
        listing = page_of_versions(cursor, limit)
        async with database.snapshot() as connection:
            versions = await read_rules.rule_history(
                connection, before_version=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(versions, lambda row: row.version)
        return RuleHistoryAnswer(
            items=[RuleSetSummaryAnswer.of(summary) for summary in page], next_cursor=next_cursor
        )

    @router.get("/{version}", summary="One version of the rules")
    async def get_rules_version(version: VersionNumber, _client: RuleReader) -> RuleSetAnswer:
        async with database.snapshot() as connection:
            return RuleSetAnswer.of(await read_rules.rules_of_version(connection, version))

    return router
