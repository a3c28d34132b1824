"""Deny by default, as a test: every route says which scopes it requires."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service_kit.audit import Origin
from service_kit.auth import requires

# What a stranger may read: the API's own description.
PUBLIC = frozenset({"/openapi.json", "/docs", "/docs/style.css"})


class public:  # noqa: N801  reads as a word where it is used
    """A dependency that lets everybody through: the route is open on purpose, and `why` says to what end.

    `cookie` names the one by which the route itself tells who asks.
    """

    def __init__(self, why: str, *, cookie: str | None = None) -> None:
        self.why = why
        self.cookie = cookie

    async def __call__(self) -> None:
        """Nothing is asked of the caller."""


class Unprotected(AssertionError):
    """Routes that anyone could call; the text names them."""


def assert_all_routes_protected(app: FastAPI, *, known: Collection[str] = PUBLIC) -> None:
    """Raises `Unprotected` when a route outside `known` has neither `requires(...)` nor `public(...)` among
    its dependencies."""
    open_routes = [
        route.path
        for route in iter_route_contexts(app.routes)
        if route.path not in known and not any(required_scopes(route)) and not is_public(route)
    ]
    if open_routes:
        raise Unprotected(f"routes without requires(...): {', '.join(str(path) for path in open_routes)}")


def is_public(route: Any) -> bool:
    """Whether the route says that it is open to everybody."""
    return any(isinstance(call, public) for call in dependency_calls(getattr(route, "dependant", None)))


def cookie_asked(route: Any) -> str | None:
    """The cookie by which the route tells who asks, if it does."""
    calls = dependency_calls(getattr(route, "dependant", None))
    return next((call.cookie for call in calls if isinstance(call, public) and call.cookie), None)


def required_scopes(route: Any) -> Iterator[frozenset[str]]:
    """The scopes of each `requires` on a route."""
    for call in dependency_calls(getattr(route, "dependant", None)):
        if isinstance(call, requires):
            yield call.scopes


def is_audited(route: Any) -> bool:
    """Whether the route is told whose doing it is, which it needs for the audit log and for nothing else."""
    calls = dependency_calls(getattr(route, "dependant", None))
    return any(getattr(call, "__annotations__", {}).get("return") is Origin for call in calls)


def ways_in(route: Any) -> list[frozenset[str]]:
    """The sets of scopes each of which lets a caller in; none for a route that asks for no scope."""
    asked = [
        call.ways
        for call in dependency_calls(getattr(route, "dependant", None))
        if isinstance(call, requires)
    ]
    return [frozenset[str]().union(*chosen) for chosen in product(*asked)] if asked else []


def dependency_calls(dependant: Any) -> Iterator[Any]:
    """Every dependency of a route, however deep."""
    for dependency in getattr(dependant, "dependencies", ()):
        yield dependency.call
        yield from dependency_calls(dependency)
