"""What every step of a sign-in stands on, and the check of a second factor that they share."""

from dataclasses import dataclass
from uuid import UUID

from service_kit.clock import Clock
from service_kit.database import Database
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain import recovery, totp
from identity_service.domain.person import PersonState
from identity_service.persistence.challenges import Challenges
from identity_service.persistence.factors import load_totp, spend_recovery_code, spend_step
from identity_service.persistence.lock_out import LockOut
from identity_service.persistence.passwords import Passwords
from identity_service.persistence.people import Directory, load_person
from identity_service.persistence.sessions import Sessions
from identity_service.persistence.sign_in_attempts import Attempt, Step, record_attempt


@dataclass(frozen=True, slots=True)
class Door:
    """Handed to the operations by the composition root."""

    database: Database
    directory: Directory
    passwords: Passwords
    lock_out: LockOut
    challenges: Challenges
    sessions: Sessions
    clock: Clock
    new_id: IdFactory


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from: its address and what its browser says of itself."""

    address: str
    agent: str


def second_factor_of(person: UUID) -> str:
    """The name by which attempts at a person's second factor are counted, at every door alike."""
    return f"second-factor:{person}"


async def spend_code(connection: AsyncConnection, door: Door, person: UUID, code: str) -> bool:
    """Whether the code of an authenticator, or a recovery code, lets this active person in now. It lets
    nobody in a second time."""
    sealed = await load_person(connection, door.directory, person)
    if sealed is None or sealed.person.state is not PersonState.ACTIVE:
        return False
    at = door.clock.now()
    if is_totp(code):
        secret = await load_totp(connection, sealed.key, person)
        if secret is None:
            return False
        step = totp.matching_step(secret.secret, code, at=at, after=secret.last_step)
        return step is not None and await spend_step(connection, secret, step)
    canonical = recovery.canonical(code)
    if canonical is None:
        return False
    kept = recovery.digest(canonical, key=door.directory.login_key, person=str(person))
    return await spend_recovery_code(connection, person, kept, at=at)


def is_totp(code: str) -> bool:
    """Whether this is written like the code of an authenticator."""
    return len(code) == totp.DIGITS and code.isascii() and code.isdigit()


async def note(
    connection: AsyncConnection,
    door: Door,
    *,
    login: str,
    person: UUID | None,
    step: Step,
    passed: bool,
    visitor: Visitor,
) -> None:
    """Write an attempt down, whatever came of it."""
    attempt = Attempt(
        id=door.new_id(),
        account=login,
        person_id=person,
        step=step,
        passed=passed,
        address=visitor.address,
        at=door.clock.now(),
    )
    await record_attempt(connection, attempt)
