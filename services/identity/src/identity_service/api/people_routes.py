"""/v1/people: who may sign in, and as what; for administrators."""

from uuid import UUID

from fastapi import APIRouter, Response
from service_kit import access
from service_kit.access import Role
from service_kit.audit import Audited, Origin
from service_kit.auth import Client
from service_kit.cursors import Cursor, Limit, Listing
from service_kit.problems import Problem, not_found

from identity_service.api.parts import conflict
from identity_service.api.people_parts import (
    PeopleAdministrator,
    PeopleParts,
    PeopleReader,
    PersonPath,
    SessionPath,
)
from identity_service.api.people_schemas import (
    InvitedOut,
    NewPerson,
    PeoplePage,
    PersonOut,
    RolesIn,
    SessionList,
    SessionOut,
)
from identity_service.api.reading_log import write_reading
from identity_service.domain.person import Person, PersonNotFound, Profile
from identity_service.operations.administer_people import (
    change_roles,
    disable_person,
    invite_again,
    invite_person,
    reset_second_factor,
    sign_out,
)
from identity_service.operations.read_clients import read_client
from identity_service.operations.use_session import end_session, forget_sessions
from identity_service.persistence.people import list_people, load_person

_FIRST = UUID(int=0)
_OWN = conflict("The caller's own record, or a state that does not allow it.")


def people_routes(parts: PeopleParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(prefix="/v1/people", tags=["people"])
    _add_inviting(router, parts)
    _add_reading(router, parts)
    _add_standing(router, parts)
    _add_sessions(router, parts)
    return router


def _add_inviting(router: APIRouter, parts: PeopleParts) -> None:
    @router.post("", status_code=201, summary="Invite a person", responses=conflict("The address is taken."))
    async def add_person(
        body: NewPerson, caller: PeopleAdministrator, origin: Audited, response: Response
    ) -> InvitedOut:
        """Hand the invitation to the person by a way of your own: with it they choose a password and enrol an
        authenticator. It is shown this once and lasts three days."""
        client_id = body.client or caller.id
        parts.identity.require_sight_of(client_id, caller)
        _refuse_more_than_own(body.roles, caller)
        profile = Profile(name=body.name, email=body.email)
        by = parts.administrator(caller, origin)
        async with parts.door.database.transaction() as connection:
            if body.client is not None:
                await read_client(connection, client_id)
            invited = await invite_person(
                connection, parts.door, by, client_id=client_id, profile=profile, roles=body.roles
            )
        response.headers["location"] = f"/v1/people/{invited.person.id}"
        response.headers["cache-control"] = "no-store"
        return InvitedOut.of(invited)

    @router.post("/{person_id}/invitation", summary="Invite a person again", responses=_OWN)
    async def renew_invitation(
        person_id: PersonPath, caller: PeopleAdministrator, origin: Audited, response: Response
    ) -> InvitedOut:
        """For who has lost everything, or comes back: password and authenticator are enrolled anew."""
        response.headers["cache-control"] = "no-store"
        async with parts.door.database.transaction() as connection:
            invited = await invite_again(
                connection, parts.door, parts.administrator(caller, origin), person_id
            )
        await forget_sessions(parts.door, person_id)
        return InvitedOut.of(invited)

    @router.post("/{person_id}/second-factor/reset", summary="Reset a second factor", responses=_OWN)
    async def reset_factor(
        person_id: PersonPath, caller: PeopleAdministrator, origin: Audited, response: Response
    ) -> InvitedOut:
        """The authenticator and the recovery codes stop; the invitation and the password that stays lead to
        new ones."""
        response.headers["cache-control"] = "no-store"
        async with parts.door.database.transaction() as connection:
            invited = await reset_second_factor(
                connection, parts.door, parts.administrator(caller, origin), person_id
            )
        await forget_sessions(parts.door, person_id)
        return InvitedOut.of(invited)


def _add_reading(router: APIRouter, parts: PeopleParts) -> None:
    @router.get("", summary="List people")
    async def get_people(
        caller: PeopleReader, origin: Audited, cursor: Cursor = None, limit: Limit = 50
    ) -> PeoplePage:
        """In the order in which they were registered: of the caller's client, of all for Florin's staff."""
        listing = Listing("people", cursor, limit, start=_FIRST, read=UUID)
        reach = parts.reach_of(caller)
        async with parts.door.database.snapshot() as connection:
            found = await list_people(
                connection, parts.door.directory, client=reach, after=listing.position, limit=listing.rows
            )
        page, next_cursor = listing.page(found, lambda row: row.id)
        ids = [person.id for person in page]
        await write_reading(parts.identity, origin, "people.listed", "client", caller.id, people=ids)
        return PeoplePage(items=[PersonOut.of(person) for person in page], next_cursor=next_cursor)

    @router.get("/{person_id}", summary="Read a person")
    async def get_person(person_id: PersonPath, caller: PeopleReader, origin: Audited) -> PersonOut:
        """As they stand."""
        person = await _person(parts, caller, person_id)
        await _write_reading(parts, origin, "person.read", person)
        return PersonOut.of(person)


def _add_standing(router: APIRouter, parts: PeopleParts) -> None:
    @router.put("/{person_id}/roles", summary="Give roles", responses=_OWN)
    async def put_roles(
        person_id: PersonPath, body: RolesIn, caller: PeopleAdministrator, origin: Audited
    ) -> PersonOut:
        """In place of all others. Tokens with the old ones stop at once."""
        _refuse_more_than_own(body.roles, caller)
        async with parts.door.database.transaction() as connection:
            by = parts.administrator(caller, origin)
            return PersonOut.of(await change_roles(connection, parts.door, by, person_id, body.roles))

    @router.post("/{person_id}/disable", summary="Shut a person out", responses=_OWN)
    async def disable(person_id: PersonPath, caller: PeopleAdministrator, origin: Audited) -> PersonOut:
        """Sessions, tokens and invitations stop at once. An invitation lets the person come back."""
        async with parts.door.database.transaction() as connection:
            person = await disable_person(
                connection, parts.door, parts.administrator(caller, origin), person_id
            )
        await forget_sessions(parts.door, person_id)
        return PersonOut.of(person)


def _add_sessions(router: APIRouter, parts: PeopleParts) -> None:
    @router.get("/{person_id}/sessions", summary="Where a person is signed in")
    async def get_person_sessions(
        person_id: PersonPath, caller: PeopleReader, origin: Audited
    ) -> SessionList:
        """All browsers, the newest first."""
        person = await _person(parts, caller, person_id)
        found = await parts.door.sessions.of(person.id, now=parts.door.clock.now())
        await _write_reading(parts, origin, "person.sessions-read", person)
        return SessionList(items=[SessionOut.of(one) for one in found])

    @router.delete("/{person_id}/sessions", status_code=204, summary="Sign a person out everywhere")
    async def delete_person_sessions(
        person_id: PersonPath, caller: PeopleAdministrator, origin: Audited
    ) -> None:
        """Every session and token stops at once; the person may sign in again."""
        async with parts.door.database.transaction() as connection:
            await sign_out(connection, parts.door, parts.administrator(caller, origin), person_id)
        await forget_sessions(parts.door, person_id)

    @router.delete("/{person_id}/sessions/{session_id}", status_code=204, summary="End a person's session")
    async def delete_person_session(
        person_id: PersonPath, session_id: SessionPath, caller: PeopleAdministrator, origin: Audited
    ) -> None:
        """It and the person's tokens stop at once; other sessions go on."""
        person = await _person(parts, caller, person_id)
        if not await end_session(parts.door, person, session_id, origin=origin):
            raise not_found("session")


async def _write_reading(parts: PeopleParts, origin: Origin, action: str, person: Person) -> None:
    await write_reading(parts.identity, origin, action, "person", person.id, client_id=person.client_id)


async def _person(parts: PeopleParts, caller: Client, person_id: UUID) -> Person:
    reach = parts.reach_of(caller)
    async with parts.door.database.snapshot() as connection:
        sealed = await load_person(connection, parts.door.directory, person_id, client=reach)
    if sealed is None:
        raise PersonNotFound
    return sealed.person


def _refuse_more_than_own(roles: list[Role], caller: Client) -> None:
    """Nobody makes administrators who is none: scopes `…:admin` are given only by who has them."""
    beyond = {scope for scope in access.scopes_of(roles) - caller.scopes if scope.endswith(":admin")}
    if beyond:
        missing = ", ".join(sorted(beyond))
        raise Problem(403, "forbidden", "Forbidden", f"These roles bring {missing}, which you do not have.")
