"""How refusals that concern people are told: the table of them."""

from service_kit.auth import FRESH
from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, not_found, overloaded

from identity_service.domain.password import PasswordRefused
from identity_service.domain.person import (
    CodeRefused,
    EmailTaken,
    IllegalPersonMove,
    InvitationInvalid,
    OwnRecord,
    PersonNotFound,
)
from identity_service.domain.session import SecondFactorStale, SessionEnded
from identity_service.domain.sign_in import SignInLocked, SignInRefused, SignInUnavailable
from identity_service.persistence.passwords import TooManyPasswords

_RETRY_AFTER_S = 5


def _refused(_error: SignInRefused) -> Problem:
    # One text for whatever was wrong: who asks learns neither who exists nor how near they were.
    return Problem(401, "sign_in_refused", "Sign-in refused", "What was shown does not let anyone in.")


def _locked(error: SignInLocked) -> Problem:
    return Problem(
        429,
        "sign_in_locked",
        "Sign-in locked",
        f"There were too many attempts. Try again in {error.retry_after_s} s.",
        headers={"retry-after": str(error.retry_after_s)},
    )


def _unavailable(_error: SignInUnavailable) -> Problem:
    return Problem(
        503,
        "sign_in_unavailable",
        "Sign-in unavailable",
        "Sign-ins and sessions cannot be checked for the moment. Try again later.",
        headers={"retry-after": str(_RETRY_AFTER_S)},
    )


def _session_ended(_error: SessionEnded) -> Problem:
    return Problem(401, "session_ended", "Session ended", "Nobody is signed in here any more. Sign in again.")


def _stale(_error: SecondFactorStale) -> Problem:
    detail = f"Show a second factor first: one of the last {FRESH.seconds} s is asked for."
    return Problem(401, "insufficient_user_authentication", "Second factor needed", detail)


def _password_refused(error: PasswordRefused) -> Problem:
    detail = "The password was not taken. See errors."
    fault = FieldError("password", str(error), error.code)
    return Problem(422, error.code, "Password refused", detail, fields=[fault])


def _code_refused(_error: CodeRefused) -> Problem:
    detail = "The code is not the one the authenticator shows now. Nothing was changed; try the next one."
    fault = FieldError("code", "is not the one shown now", "code_refused")
    return Problem(422, "code_refused", "Code refused", detail, fields=[fault])


def _invitation_invalid(_error: InvitationInvalid) -> Problem:
    detail = "The invitation is unknown, used, replaced or expired. Ask for another."
    return Problem(403, "invitation_invalid", "Invitation invalid", detail)


def _email_taken(_error: EmailTaken) -> Problem:
    detail = "Another person of the client has this address. Nothing was done."
    fault = FieldError("email", "belongs to another person", "email_taken")
    return Problem(409, "email_taken", "E-mail address taken", detail, fields=[fault])


def _own_record(_error: OwnRecord) -> Problem:
    detail = "Nobody changes their own roles, standing or factors. Ask another administrator."
    return Problem(409, "own_record", "Own record", detail)


def _illegal_move(error: IllegalPersonMove) -> Problem:
    return Problem(409, "illegal_person_move", "Illegal move", f"Nothing was changed: {error}.")


PEOPLE_ERRORS: ErrorMap = {
    SignInRefused: _refused,
    SignInLocked: _locked,
    SignInUnavailable: _unavailable,
    TooManyPasswords: lambda _: overloaded(),
    SessionEnded: _session_ended,
    SecondFactorStale: _stale,
    PasswordRefused: _password_refused,
    CodeRefused: _code_refused,
    InvitationInvalid: _invitation_invalid,
    PersonNotFound: lambda _: not_found("person"),
    EmailTaken: _email_taken,
    OwnRecord: _own_record,
    IllegalPersonMove: _illegal_move,
}
