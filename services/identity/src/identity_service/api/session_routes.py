"""/v1/session and /v1/sessions: what a signed-in person does with the session of their browser."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from service_kit.audit import Audited
from service_kit.problems import not_found
from service_kit.protection import public

from identity_service.api.own_pages import (
    COOKIE,
    REFUSALS,
    CurrentSession,
    give_cookie,
    take_cookie,
    visitor_of,
)
from identity_service.api.people_parts import PeopleParts, SessionPath
from identity_service.api.people_schemas import (
    CodeIn,
    PasswordChangeIn,
    PersonOut,
    RecoveryCodesOut,
    SessionList,
    SessionOut,
    SignedIn,
    TokenOut,
)
from identity_service.domain.token import LIFETIME
from identity_service.operations.change_password import ChangePassword, change_password
from identity_service.operations.give_token import give_token
from identity_service.operations.use_session import (
    OpenSession,
    end_session,
    new_recovery_codes,
    step_up,
)


def session_routes(parts: PeopleParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(
        prefix="/v1",
        tags=["sessions"],
        dependencies=[Depends(public("a browser shows its session's cookie, and no bearer", cookie=COOKIE))],
        responses=REFUSALS,
    )
    _add_own(router, parts)
    _add_list(router, parts)
    return router


def _add_own(router: APIRouter, parts: PeopleParts) -> None:
    current = CurrentSession(parts)
    Current = Annotated[OpenSession, Depends(current)]  # noqa: N806  a type, made for these parts

    @router.get("/session", summary="Who is signed in here")
    async def get_session(opened: Current) -> SignedIn:
        """The person and the session of this browser."""
        return _signed_in(opened)

    @router.delete("/session", status_code=204, summary="Sign out")
    async def sign_out(opened: Current, origin: Audited, response: Response) -> None:
        """This browser's session and the person's tokens stop at once."""
        await end_session(parts.door, opened.person, opened.session.id, origin=origin)
        take_cookie(response)

    @router.post("/session/second-factor", summary="Show a second factor again")
    async def renew_second_factor(
        body: CodeIn, opened: Current, request: Request, response: Response
    ) -> SignedIn:
        """For what asks for a fresh one. The session goes on under another cookie."""
        renewed = await step_up(parts.door, opened, body.code, visitor_of(request))
        give_cookie(response, renewed.text)
        return _signed_in(renewed)

    @router.post("/session/password", summary="Choose another password")
    async def put_password(
        body: PasswordChangeIn, opened: Current, origin: Audited, request: Request, response: Response
    ) -> SignedIn:
        """Asks for the one there is, and for a fresh second factor. Every other session and all tokens of the
        person stop at once; this one goes on under another cookie."""
        command = ChangePassword(body.current_password, body.password)
        renewed = await change_password(
            parts.door, opened, command, visitor_of(request), origin=origin, breached=parts.breached
        )
        give_cookie(response, renewed.text)
        return _signed_in(renewed)

    @router.post("/session/token", summary="An access token of the signed-in person")
    async def session_token(opened: Current, origin: Audited, response: Response) -> TokenOut:
        """With the scopes of the person's roles, for ten minutes."""
        response.headers["cache-control"] = "no-store"
        token = await give_token(parts.identity.token_maker, parts.door, opened, origin=origin)
        return TokenOut(
            access_token=token.text,
            expires_in=int(LIFETIME.total_seconds()),
            scope=" ".join(sorted(token.claims.scopes)),
        )

    @router.post("/session/recovery-codes", summary="New recovery codes")
    async def renew_codes(opened: Current, origin: Audited, response: Response) -> RecoveryCodesOut:
        """In place of all that are left; asks for a fresh second factor. They are shown this once."""
        response.headers["cache-control"] = "no-store"
        codes = await new_recovery_codes(parts.door, opened, origin=origin)
        return RecoveryCodesOut(recovery_codes=list(codes))


def _add_list(router: APIRouter, parts: PeopleParts) -> None:
    current = CurrentSession(parts)
    Current = Annotated[OpenSession, Depends(current)]  # noqa: N806

    @router.get("/sessions", summary="Where the person is signed in")
    async def get_sessions(opened: Current) -> SessionList:
        """All browsers, this one among them."""
        found = await parts.door.sessions.of(opened.person.id, now=parts.door.clock.now())
        return SessionList(items=[SessionOut.of(one, current=opened.session.id) for one in found])

    @router.delete("/sessions/{session_id}", status_code=204, summary="End a session")
    async def delete_session(session_id: SessionPath, opened: Current, origin: Audited) -> None:
        """One of the person's own; it and the person's tokens stop at once."""
        if not await end_session(parts.door, opened.person, session_id, origin=origin):
            raise not_found("session")


def _signed_in(opened: OpenSession) -> SignedIn:
    return SignedIn(
        person=PersonOut.of(opened.person),
        session=SessionOut.of(opened.session, current=opened.session.id),
    )
