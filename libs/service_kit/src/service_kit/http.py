"""The HTTP side of a process: the application every service starts from, and the server it runs in."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from service_kit import docs_page, openapi
from service_kit.auth import Authenticator
from service_kit.boundary import Boundary
from service_kit.clock import Clock, SystemClock
from service_kit.direct import straight
from service_kit.forwarding import TrustedProxies
from service_kit.limits import Limits, LimitsMiddleware
from service_kit.parameters import only_known_parameters
from service_kit.problems import ErrorMap, problem_handlers
from service_kit.rate_limits import RateLimiter
from service_kit.wire import REQUEST_TIMEOUT_S, bounded_protocol

_QUIET: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
_POLL_S = 0.02


@dataclass
class ServerState:
    """What the server tells the application of itself, and whose word it takes for where a request comes
    from."""

    draining: bool = False
    proxies: TrustedProxies | None = None


def create_app(
    *,
    service: str,
    title: str,
    version: str,
    api_keys: Authenticator,
    routers: Sequence[APIRouter] = (),
    errors: ErrorMap | None = None,
    limits: Limits | None = None,
    description: str = "",
    clock: Clock | None = None,
) -> FastAPI:
    """An application that refuses by default: limits before parsing, problems for every refusal, one trace,
    metric and log line a request, and an OpenAPI document that says all of it."""
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect would turn a POST with a stray slash into a GET somewhere else.
        redirect_slashes=False,
        # FastAPI's own spans carry the query's values, which may be personal data; ours do not.
        telemetry=_QUIET,
    )
    app.state.authenticator = api_keys
    app.state.clock = clock or SystemClock()
    # Without limits, until the process that serves it brings its own.
    app.state.rate_limiter = RateLimiter({}, service=service)
    app.state.server = ServerState()
    problem_handlers(app, errors)
    for router in routers:
        _add_routes(app, router)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    _publish_description(app)
    app.add_middleware(LimitsMiddleware, limits=limits)
    app.add_middleware(Boundary, service=service, state=app.state.server)
    return app


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    """Puts the router's routes beside the application's own where nothing is nested.

    FastAPI keeps an included router as a tree and matches it twice a request, which costs a tenth of it.
    Every route refuses query parameters that it does not have, before anything else is done.
    """
    strict = Depends(only_known_parameters)
    if all(type(route) is APIRoute for route in router.routes):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            check = get_parameterless_sub_dependant(depends=strict, path=route.path_format)
            route.dependant.dependencies.insert(0, check)
            route.app = straight(route) or route.app
        app.router.routes.extend(router.routes)
    else:
        app.include_router(router, dependencies=[strict])


def _publish_description(app: FastAPI) -> None:
    async def document(_request: Request) -> Response:
        return JSONResponse(app.openapi())

    async def page(_request: Request) -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'"}
        return HTMLResponse(docs_page.render(app.openapi()), headers=headers)

    async def style(_request: Request) -> Response:
        return Response(docs_page.STYLE, media_type="text/css", headers={"cache-control": "max-age=3600"})

    app.add_route("/openapi.json", document, include_in_schema=False)
    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs/style.css", style, include_in_schema=False)


class HttpServer:
    """uvicorn as a component: `run()` serves until `stop()`, which lets every request in flight be
    answered."""

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        graceful_timeout_s: float = 10.0,
        drain_delay_s: float = 0.0,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        state: ServerState | None = None,
    ) -> None:
        self._state = state or getattr(getattr(app, "state", None), "server", None) or ServerState()
        self._drain_delay_s = drain_delay_s
        self._server = _Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=bounded_protocol(request_timeout_s),
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # A forwarded address is a claim: the boundary alone decides whose it believes.
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(graceful_timeout_s)),
                timeout_keep_alive=65,
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on; the real one when 0 was asked for. Only while serving."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    @property
    def serving(self) -> bool:
        return self._server.started and not self._server.should_exit

    async def run(self) -> None:
        """Serves until stopped; raises `OSError` when the address cannot be had."""
        try:
            await self._server.serve()
        except SystemExit as error:
            config = self._server.config
            raise OSError(f"cannot listen on {config.host}:{config.port}: is it taken?") from error

    async def started(self) -> None:
        """Returns when it listens."""
        while not self._server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """Asks every client to go elsewhere, waits for balancers to notice, closes, lets the rest be
        answered."""
        self._state.draining = True
        deadline = asyncio.get_running_loop().time() + self._drain_delay_s
        while (  # noqa: ASYNC110
            self._server.server_state.connections and asyncio.get_running_loop().time() < deadline
        ):
            await asyncio.sleep(_POLL_S)
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the process decides when to stop."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()
