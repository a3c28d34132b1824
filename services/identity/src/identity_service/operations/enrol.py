"""Enrol by an invitation: choose a password or show the one there is, then confirm an authenticator."""

import hashlib
import secrets
from collections.abc import Container
from dataclasses import dataclass, field, replace
from datetime import datetime

from service_kit.audit import Entry, Origin, record
from service_kit.auth import Client
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain import recovery, totp
from identity_service.domain.password import normalised, refuse_unfit
from identity_service.domain.person import (
    CodeRefused,
    Invitation,
    InvitationInvalid,
    PersonState,
    Purpose,
    moved,
)
from identity_service.operations.door import Door, Visitor
from identity_service.operations.kept_password import show_kept_password
from identity_service.persistence.factors import (
    TotpSecret,
    confirm_totp,
    load_totp,
    offer_totp,
    replace_recovery_codes,
    save_password_hash,
)
from identity_service.persistence.invitations import close_invitations, find_invitation
from identity_service.persistence.people import SealedPerson, lock_person, save_person

ISSUER = "Florin"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What goes into an authenticator, shown once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


async def enrol(
    door: Door, invitation: str, password: str, visitor: Visitor, *, origin: Origin, breached: Container[str]
) -> Enrolment:
    """Keep the password, and offer a secret that `confirm_enrolment` puts into use; asked again, another.

    Raises InvitationInvalid, PasswordRefused; where the password is to stay, SignInRefused for another one,
    and SignInLocked; SignInUnavailable and TooManyPasswords.
    """
    async with door.database.transaction() as connection:
        opened, sealed = await _invited(connection, door, invitation)
    person, typed = sealed.person, normalised(password)
    hashed = None
    if opened.purpose is Purpose.JOIN:
        refuse_unfit(typed, breached=breached, about=(*person.profile.words(), ISSUER))
        hashed = await door.passwords.hashed(typed)
    else:
        await show_kept_password(door, person, typed, visitor, step="enrolment")
    secret = TotpSecret(door.new_id(), secrets.token_bytes(totp.SECRET_BYTES), last_step=0)
    async with door.database.transaction() as connection:
        # Looked at again under its lock: another may have been issued meanwhile.
        await _invited(connection, door, invitation)
        at = door.clock.now()
        if hashed is not None:
            await save_password_hash(connection, person.id, hashed, at=at)
        await offer_totp(connection, sealed.key, person.id, secret, at=at)
        await _write_down(connection, "person.enrolment-begun", opened, sealed, origin, at)
    uri = totp.provisioning_uri(secret.secret, issuer=ISSUER, account=person.profile.email)
    return Enrolment(totp.base32(secret.secret), uri)


async def confirm_enrolment(
    connection: AsyncConnection, door: Door, invitation: str, code: str, *, origin: Origin
) -> tuple[str, ...]:
    """Put the authenticator into use and the person with it; returns new recovery codes, shown once.

    Raises InvitationInvalid and CodeRefused.
    """
    opened, sealed = await _invited(connection, door, invitation)
    person, at = sealed.person, door.clock.now()
    offered = await load_totp(connection, sealed.key, person.id, confirmed=False)
    step = None if offered is None else totp.matching_step(offered.secret, code, at=at, after=0)
    if offered is None or step is None:
        raise CodeRefused
    await confirm_totp(connection, person.id, offered, step=step, at=at)
    await close_invitations(connection, person.id, at=at)
    active = replace(person, state=moved(person.state, PersonState.ACTIVE), sessions_since=at, updated_at=at)
    await save_person(connection, active)
    await _write_down(connection, "person.enrolled", opened, sealed, origin, at)
    return await renew_recovery_codes(connection, door, sealed)


async def renew_recovery_codes(
    connection: AsyncConnection, door: Door, sealed: SealedPerson
) -> tuple[str, ...]:
    """Ten new codes in place of what is left of the old ones."""
    codes, person = recovery.new_codes(secrets.token_bytes), sealed.person.id
    key = door.directory.login_key
    canonical = [found for code in codes if (found := recovery.canonical(code)) is not None]
    kept = [recovery.digest(code, key=key, person=str(person)) for code in canonical]
    await replace_recovery_codes(connection, person, kept, at=door.clock.now())
    return codes


async def _write_down(
    connection: AsyncConnection,
    action: str,
    invitation: Invitation,
    sealed: SealedPerson,
    origin: Origin,
    at: datetime,
) -> None:
    """In the name of the person, who has shown the invitation."""
    person = sealed.person
    caller = Client(person.client_id, frozenset(), f"invitation:{invitation.id}", f"person:{person.id}")
    entry = Entry(
        action=action,
        subject_type="person",
        subject=str(person.id),
        after={"purpose": invitation.purpose},
    )
    await record(connection, origin.known_as(caller), entry, at=at)


def invitation_digest(text: str) -> bytes:
    """What is kept of an invitation: of 256 random bits a plain hash tells nothing."""
    return hashlib.sha256(text.encode()).digest()


async def _invited(connection: AsyncConnection, door: Door, text: str) -> tuple[Invitation, SealedPerson]:
    digest = invitation_digest(text)
    found = await find_invitation(connection, digest)
    sealed = None if found is None else await lock_person(connection, door.directory, found.person_id)
    # Whoever closes an invitation has the person locked, so that from here on it stays as it is.
    invitation = await find_invitation(connection, digest)
    if invitation is None or sealed is None or invitation.expires_at <= door.clock.now():
        raise InvitationInvalid
    if sealed.person.state is not PersonState.INVITED:
        raise InvitationInvalid
    return invitation, sealed
