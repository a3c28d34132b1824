"""Read the rules: the current version, any version, and the history."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.persistence import rule_sets
from fraud_service.persistence.rule_sets import RuleSetRecord, RuleSetSummary


class RulesVersionNotFound(LookupError):
    """That version of the rules was never published."""

    code = "rules_version_not_found"

    def __init__(self, version: int) -> None:
        super().__init__(f"no version {version} of the rules")
        self.version = version


async def current_rules(connection: AsyncConnection) -> RuleSetRecord:
    """The version by which payments are screened now."""
    return await rule_sets.load_current(connection)


async def rules_of_version(connection: AsyncConnection, version: int) -> RuleSetRecord:
    """One version; raises `RulesVersionNotFound`."""
    record = await rule_sets.load_version(connection, version)
    if record is None:
        raise RulesVersionNotFound(version)
    return record


async def rule_history(
    connection: AsyncConnection, *, before_version: int, limit: int
) -> Sequence[RuleSetSummary]:
    """Versions below `before_version`, newest first."""
    return await rule_sets.load_history(connection, before_version=before_version, limit=limit)
