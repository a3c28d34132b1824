"""The password that there is, shown by somebody who is known already: counted as at the front door."""

from identity_service.domain.person import Person
from identity_service.domain.sign_in import SignInRefused
from identity_service.operations.door import Door, Visitor, note
from identity_service.persistence.factors import load_password_hash
from identity_service.persistence.sign_in_attempts import Step


async def show_kept_password(
    door: Door, person: Person, typed: str, visitor: Visitor, *, step: Step
) -> str | None:
    """The hash that the normalised password fits.

    Raises SignInRefused for another one, SignInLocked, SignInUnavailable and TooManyPasswords.
    """
    login = door.directory.login(person.client_id, person.profile.email)
    counted = f"password:{login}"
    await door.lock_out.enter(counted, visitor.address, now=door.clock.now())
    async with door.database.snapshot() as connection:
        kept = await load_password_hash(connection, person.id)
    right = await door.passwords.verified(kept, typed)
    async with door.database.transaction() as connection:
        await note(connection, door, login=login, person=person.id, step=step, passed=right, visitor=visitor)
    if not right:
        raise SignInRefused
    await door.lock_out.succeeded(counted, visitor.address)
    return kept
