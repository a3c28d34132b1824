"""Every attempt to sign in that was looked at, for whoever has to find out what happened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Step = Literal["password", "totp", "recovery_code", "step_up", "enrolment"]

_INSERT = text(
    """
    INSERT INTO sign_in_attempts (id, account, person_id, step, outcome, address, at)
    VALUES (:id, :account, :person, :step, :outcome, :address, :at)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """`account` is the keyed hash that was asked for; `person_id` is None where nobody has it."""

    id: UUID
    account: str
    person_id: UUID | None
    step: Step
    passed: bool
    address: str
    at: datetime


async def record_attempt(connection: AsyncConnection, attempt: Attempt) -> None:
    """Write it down."""
    parameters = {
        "id": attempt.id,
        "account": attempt.account,
        "person": attempt.person_id,
        "step": attempt.step,
        "outcome": "passed" if attempt.passed else "refused",
        "address": attempt.address,
        "at": attempt.at,
    }
    await connection.execute(_INSERT, parameters)
