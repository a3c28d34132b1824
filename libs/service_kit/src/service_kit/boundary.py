"""The outermost middleware: one trace, one metric, one log line, safe headers, and an answer whatever
happens.

One class and not one per concern: each layer of ASGI costs every request, and this one must run thousands of
times a second on one core.
"""

import logging
from time import perf_counter
from typing import Any

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.auth import PRINCIPAL
from service_kit.forwarding import TrustedProxies
from service_kit.problems import ProblemResponse, problem_for
from service_kit.rate_limits import HEADERS as RATE_LIMIT_HEADERS
from service_kit.telemetry import gauge, histogram
from service_kit.telemetry.logs import is_enabled, write_soon
from service_kit.telemetry.request_ids import begin_request_id, end_request_id
from service_kit.telemetry.traces import begin_request, end_request

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; style-src 'self'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Where the request's id and the address it comes from lie for whoever writes them down.
REQUEST_ID = "florin.request_id"
ADDRESS = "florin.address"
# Set by a route that is asked for so often that a line each would drown the rest: told at DEBUG.
QUIET = "florin.quiet"
_NO_STORE = (b"cache-control", b"no-store")
_HEARD_ONCE = frozenset({b"traceparent", b"x-request-id"})
_CLOSE = (b"connection", b"close")

_DURATION = histogram(
    "http_request_duration_seconds", "Time to answer a request.", ("service", "method", "route", "status")
)
_IN_PROGRESS = gauge("http_requests_in_progress", "Requests being answered.", ("service",))
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_UNKNOWN_ROUTE = "unmatched"


class Boundary:
    """Wraps an application; while draining, every answer asks its client to connect anew elsewhere."""

    def __init__(self, app: ASGIApp, *, service: str, state: Any) -> None:
        self._app = app
        self._service = service
        self._state = state
        # A plain number, read when the metric is asked for: a gauge would take its lock twice a request.
        self._in_progress = 0
        _IN_PROGRESS.labels(service).set_function(lambda: self._in_progress)
        self._durations: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        proxies: TrustedProxies | None = self._state.proxies
        traceparent, sent_id, forwarded = _heard(scope, proxies.header if proxies else None)
        span, token = begin_request(scope["method"], traceparent)
        request_id, id_token = begin_request_id(sent_id)
        scope[REQUEST_ID] = request_id.text
        peer = scope["client"][0] if scope.get("client") else ""
        scope[ADDRESS] = proxies.client_of(peer, forwarded) if proxies else peer
        self._in_progress += 1
        status = 0
        draining = self._state.draining

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_safe_headers(message["headers"], draining)
                message["headers"] += (
                    (b"x-request-id", request_id.text.encode()),
                    *scope.get(RATE_LIMIT_HEADERS, ()),
                )
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except Exception as error:  # the last one who can answer
            problem = problem_for(error)
            if status:
                raise
            await ProblemResponse(problem)(scope, receive, send_safely)
        finally:
            self._in_progress -= 1
            self._tell(scope, status, perf_counter() - started, span, token)
            end_request_id(id_token)

    def _tell(self, scope: Scope, status: int, duration_s: float, span: Any, token: Any) -> None:
        # 0: nothing was sent, for the client had left or was cut off; proxies have long written it 499.
        status = status or 499
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = route_template(scope)
        key = (method, route, status)
        child = self._durations.get(key)
        if child is None:
            child = _DURATION.labels(self._service, method, route, str(status))
            self._durations[key] = child
        child.observe(duration_s)
        quiet = QUIET in scope
        if is_enabled(logging.DEBUG if quiet else logging.INFO):
            line: dict[str, Any] = {
                "level": "debug" if quiet else "info",
                "event": "request",
                "method": method,
                # The template and not the path: a path may name an account, a query a person.
                "route": route,
                "status": status,
                "ms": round(duration_s * 1000, 2),
                "request_id": scope[REQUEST_ID],
                "trace_id": f"{span.get_span_context().trace_id:032x}",
            }
            caller = scope.get(PRINCIPAL)
            if caller is not None:
                line["client"] = caller.id
            write_soon(line)
        end_request(span, token, method=method, route=route, status=status)


def route_template(scope: Scope) -> str:
    """The matched route as it was declared (`/v1/payments/{payment_id}`), or one word for none."""
    # FastAPI keeps an included route's whole path in a context of its own, the bare one on the route.
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context, "path", None) or getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else _UNKNOWN_ROUTE


def _with_safe_headers(headers: list[tuple[bytes, bytes]], draining: bool) -> list[tuple[bytes, bytes]]:  # noqa: FBT001
    names = {name for name, _ in headers}
    safe = [*headers, *(pair for pair in SECURITY_HEADERS if pair[0] not in names)]
    if b"cache-control" not in names:
        safe.append(_NO_STORE)
    if draining and b"connection" not in names:
        safe.append(_CLOSE)
    return safe


def _heard(scope: Scope, forwarded_header: bytes | None) -> tuple[bytes | None, bytes | None, list[bytes]]:
    """The headers `traceparent` and `X-Request-ID`, None when sent twice, and each line of the forwarded
    one."""
    once: dict[bytes, bytes | None] = {}
    forwarded = []
    for name, value in scope["headers"]:
        if name in _HEARD_ONCE:
            once[name] = None if name in once else value
        elif name == forwarded_header:
            forwarded.append(value)
    return once.get(b"traceparent"), once.get(b"x-request-id"), forwarded
