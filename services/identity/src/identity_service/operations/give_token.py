"""An access token for who is signed in, by the record as it is now."""

from service_kit import access
from service_kit.access import Role
from service_kit.audit import Origin

from identity_service.domain.person import PersonState
from identity_service.domain.session import SessionEnded
from identity_service.operations.door import Door
from identity_service.operations.issue_token import IssuedToken, TokenMaker, issue_token
from identity_service.operations.use_session import OpenSession
from identity_service.persistence.people import lock_person

# RFC 8176: a password, and a code that is used once.
METHODS = ("pwd", "otp")


async def give_token(maker: TokenMaker, door: Door, opened: OpenSession, *, origin: Origin) -> IssuedToken:
    """With the scopes of the person's roles. Raises SessionEnded for who was shut out meanwhile."""
    session = opened.session
    async with door.database.transaction() as connection:
        # Held until the commit: roles that are taken away later revoke this token too.
        sealed = await lock_person(connection, door.directory, session.person_id)
        person = None if sealed is None else sealed.person
        if (
            person is None
            or person.state is not PersonState.ACTIVE
            or session.begun_at < person.sessions_since
        ):
            raise SessionEnded
        return await issue_token(
            connection,
            subject=f"person:{person.id}",
            client_id=person.client_id,
            scopes=access.scopes_of(Role(role) for role in person.roles),
            maker=maker,
            origin=origin,
            more={
                "auth_time": int(session.begun_at.timestamp()),
                "amr": list(METHODS),
                "second_factor_at": int(session.second_factor_at.timestamp()),
            },
        )
