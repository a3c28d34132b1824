"""/v1/enrolment and /v1/sign-in: the ways in, open to whoever has what they ask for."""

from fastapi import APIRouter, Depends, Request, Response
from service_kit.audit import AuditedStranger
from service_kit.protection import public

from identity_service.api.own_pages import REFUSALS, FromOwnPages, give_cookie, session_text, visitor_of
from identity_service.api.people_parts import PeopleParts
from identity_service.api.people_schemas import (
    ChallengeOut,
    ConfirmationIn,
    EnrolmentIn,
    EnrolmentOut,
    PasswordIn,
    PersonOut,
    RecoveryCodesOut,
    SecondFactorIn,
    SessionOut,
    SignedIn,
)
from identity_service.domain.person import PersonNotFound
from identity_service.operations.enrol import confirm_enrolment, enrol
from identity_service.operations.sign_in import (
    ShowPassword,
    ShowSecondFactor,
    show_password,
    show_second_factor,
)
from identity_service.persistence.challenges import LIFE
from identity_service.persistence.people import load_person


def sign_in_routes(parts: PeopleParts) -> APIRouter:
    """The routes, on these parts."""
    router = APIRouter(
        prefix="/v1",
        dependencies=[
            Depends(public("who signs in has nothing yet but what is asked for here")),
            Depends(FromOwnPages(parts)),
        ],
        responses=REFUSALS,
    )
    _add_enrolment(router, parts)
    _add_sign_in(router, parts)
    return router


def _add_enrolment(router: APIRouter, parts: PeopleParts) -> None:
    @router.post("/enrolment", summary="Enrol by an invitation", tags=["enrolment"])
    async def begin_enrolment(
        body: EnrolmentIn, origin: AuditedStranger, request: Request, response: Response
    ) -> EnrolmentOut:
        """Choose a password (one to a second factor asks for the password there is), and put the secret into
        an authenticator. Nothing counts until it is confirmed; asked again, the secret is another."""
        response.headers["cache-control"] = "no-store"
        made = await enrol(
            parts.door,
            body.invitation,
            body.password,
            visitor_of(request),
            origin=origin,
            breached=parts.breached,
        )
        return EnrolmentOut(secret=made.secret, uri=made.uri)

    @router.post("/enrolment/confirm", summary="Confirm the authenticator", tags=["enrolment"])
    async def finish_enrolment(
        body: ConfirmationIn, origin: AuditedStranger, response: Response
    ) -> RecoveryCodesOut:
        """From here on the person may sign in. The recovery codes are shown this once."""
        response.headers["cache-control"] = "no-store"
        async with parts.door.database.transaction() as connection:
            codes = await confirm_enrolment(connection, parts.door, body.invitation, body.code, origin=origin)
        return RecoveryCodesOut(recovery_codes=list(codes))


def _add_sign_in(router: APIRouter, parts: PeopleParts) -> None:
    @router.post("/sign-in", summary="Show the password", tags=["sign-in"])
    async def sign_in(body: PasswordIn, request: Request, response: Response) -> ChallengeOut:
        """The first step. Whoever is unknown is refused in the same words and time as who is wrong."""
        response.headers["cache-control"] = "no-store"
        command = ShowPassword(body.client, body.email, body.password)
        challenge = await show_password(parts.door, command, visitor_of(request))
        return ChallengeOut(
            challenge=challenge,
            expires_in=int(LIFE.total_seconds()),
            second_factors=["totp", "recovery_code"],
        )

    @router.post("/sign-in/second-factor", summary="Show a second factor", tags=["sign-in"])
    async def sign_in_second_factor(body: SecondFactorIn, request: Request, response: Response) -> SignedIn:
        """The second step: a session begins, and its cookie is set. A session that the browser had ends."""
        command = ShowSecondFactor(body.challenge, body.code, replaces=session_text(request))
        begun = await show_second_factor(parts.door, command, visitor_of(request))
        async with parts.door.database.snapshot() as connection:
            sealed = await load_person(connection, parts.door.directory, begun.session.person_id)
        if sealed is None:
            raise PersonNotFound
        give_cookie(response, begun.text)
        return SignedIn(
            person=PersonOut.of(sealed.person),
            session=SessionOut.of(begun.session, current=begun.session.id),
        )
