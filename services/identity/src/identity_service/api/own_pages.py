"""What a browser sends by itself proves nothing: a session counts only for requests of our own pages."""

from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from service_kit.auth import PRINCIPAL, Client
from service_kit.problems import Problem

from identity_service.api.people_parts import PeopleParts
from identity_service.domain.session import SessionEnded
from identity_service.domain.sign_in import counted_address
from identity_service.operations.door import Visitor
from identity_service.operations.use_session import OpenSession, open_session

# `__Host-`: set by this host over TLS, for all of its paths, and by no other host for it (RFC 6265bis).
COOKIE: Final = "__Host-florin_session"
HEADER: Final = "x-florin-request"
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": words, "content": _PROBLEM}
    for status, words in {
        401: "What was shown lets nobody in, or the session has ended.",
        403: f"Not sent from our own pages with the header {HEADER.title()}, or no good invitation.",
        429: "Too many attempts, or requests; `Retry-After` says when to go on.",
    }.items()
}
_MAX_COOKIE = 128
_MAX_AGENT = 200


class FromOwnPages:
    """A dependency that refuses what another site's page may have sent (403 `cross_site_request`).

    No other site can add our header without asking first, which nothing here ever grants; and browsers say
    where a request comes from.
    """

    def __init__(self, parts: PeopleParts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> None:
        headers = request.headers
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if (
            not headers.get(HEADER)
            or site not in (None, "same-origin")
            or (origin is not None and not self._is_ours(origin, headers.get("host", "")))
        ):
            detail = f"Send this from our own pages, with the header {HEADER.title()}."
            raise Problem(403, "cross_site_request", "Cross-site request", detail)

    def _is_ours(self, origin: str, host: str) -> bool:
        ours = self._parts.origin
        return urlsplit(origin).netloc == host if ours is None else origin == ours


class CurrentSession:
    """A dependency: the session of the browser that calls from our own pages; 401 where there is none."""

    def __init__(self, parts: PeopleParts) -> None:
        self._parts, self._own_pages = parts, FromOwnPages(parts)

    async def __call__(self, request: Request) -> OpenSession:
        await self._own_pages(request)
        text = session_text(request)
        if text is None:
            raise SessionEnded
        opened = await open_session(self._parts.door, text)
        person, credential = opened.person, f"session:{opened.session.id}"
        request.scope[PRINCIPAL] = Client(person.client_id, frozenset(), credential, f"person:{person.id}")
        return opened


def session_text(request: Request) -> str | None:
    """What the browser holds, if it could be ours."""
    text = request.cookies.get(COOKIE)
    return text if text and len(text) <= _MAX_COOKIE else None


def visitor_of(request: Request) -> Visitor:
    """Where the request comes from."""
    peer = request.client.host if request.client else ""
    address = str(request.scope.get("florin.address") or peer)
    return Visitor(counted_address(address), request.headers.get("user-agent", "")[:_MAX_AGENT])


def give_cookie(response: Response, text: str) -> None:
    """Only this host's own pages send it back, no script reads it, and nothing goes without TLS."""
    response.set_cookie(COOKIE, text, path="/", secure=True, httponly=True, samesite="strict")
    response.headers["cache-control"] = "no-store"


def take_cookie(response: Response) -> None:
    """The browser forgets it."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
