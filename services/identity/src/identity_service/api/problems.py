"""How the service's own errors are told to a client: the one table of them."""

import math

from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found

from identity_service.domain.api_key import ExpiryPassed, KeyEnded, KeyNotFound
from identity_service.domain.client import ClientExists, ClientNotFound, ClientSuspended, ScopesNotGranted
from identity_service.domain.signing_key import StandbyTooYoung


def _client_exists(_error: ClientExists) -> Problem:
    return Problem(
        409,
        "client_exists",
        "Client exists",
        "A client of this id is registered already, with another name or other scopes. Nothing was done.",
        fields=[FieldError("id", "is taken", "client_exists")],
    )


def _client_suspended(_error: ClientSuspended) -> Problem:
    detail = "The client is suspended. It gets no keys until it is let in again."
    return Problem(409, "client_suspended", "Client suspended", detail)


def _scopes_not_granted(error: ScopesNotGranted) -> Problem:
    words = f"the client may not do: {', '.join(error.scopes)}"
    return invalid_request(FieldError("scopes", words, "scope_not_granted"))


def _key_ended(_error: KeyEnded) -> Problem:
    detail = "The key has ended or was replaced already. Issue a new one."
    return Problem(409, "key_ended", "Key ended", detail)


def _standby_too_young(error: StandbyTooYoung) -> Problem:
    detail = "Some service may not know yet the key that would sign. Nothing was done; rotate again later."
    headers = {"retry-after": str(math.ceil(error.left.total_seconds()))}
    return Problem(409, "standby_too_young", "Standby key too young", detail, headers=headers)


ERRORS: ErrorMap = {
    ClientNotFound: lambda _: not_found("client"),
    ClientExists: _client_exists,
    ClientSuspended: _client_suspended,
    ScopesNotGranted: _scopes_not_granted,
    KeyNotFound: lambda _: not_found("key"),
    KeyEnded: _key_ended,
    StandbyTooYoung: _standby_too_young,
    ExpiryPassed: lambda _: invalid_request(FieldError("not_after", "has passed already", "expiry_passed")),
}
