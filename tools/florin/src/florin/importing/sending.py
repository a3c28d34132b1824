"""Requests that outlive an outage: sent again with the same key until answered, within bounds.

A connection refused, a reset, a timeout and a 5xx all mean the same: nobody knows whether it was done. The
key makes asking again safe, so that is what happens, until the service has been silent for `patience_s`.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
import orjson

from florin.errors import StackError
from florin.importing import PATIENCE_S

_LONGEST_PAUSE_S = 3.0
_FIRST_PAUSE_S = 0.1
_RETRIED = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


class NoAnswer(StackError):
    """The service stayed away for longer than one was ready to wait."""


class Refused(StackError):
    """The service refused the request as a whole, which no repetition will change."""

    def __init__(self, status: int, code: str, detail: str, *, rule: str) -> None:
        super().__init__(f"the service refused: {status} {code}: {detail}")
        self.status = status
        self.code = code
        # The rule that the first faulty field breaks; the code itself where no field is at fault.
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer. `uncertain`: an earlier try of the same request may have been done too."""

    document: Any
    replayed: bool
    uncertain: bool


class Sender:
    """One service's API, asked until it answers. Silence is counted over all requests together."""

    def __init__(self, api: httpx2.AsyncClient, *, patience_s: float = PATIENCE_S) -> None:
        self._api = api
        self._patience_s = patience_s
        self._heard_at = time.monotonic()
        self.retries = 0

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The document at `path`."""
        return (await self._ask("GET", path, params=dict(query or {}))).document

    async def post(self, path: str, document: Mapping[str, Any], *, key: str) -> Answer:
        """Has something done once, under an idempotency key."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return await self._ask("POST", path, content=orjson.dumps(document), headers=headers)

    async def _ask(self, method: str, path: str, **request: Any) -> Answer:
        began = time.monotonic()
        uncertain = False
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                response = await self._api.request(method, path, **request)
            except httpx2.TransportError as error:
                why = type(error).__name__
                wait_s = 0.0
            else:
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._heard_at = time.monotonic()
                if response.is_success:
                    replayed = response.headers.get("idempotency-replayed") == "true"
                    return Answer(orjson.loads(response.content), replayed, uncertain)
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and not _in_passing(response):
                    raise _refusal(response)
                why = str(response.status_code)
                wait_s = _retry_after_s(response)
            uncertain = True
            self.retries += 1
            silent_s = time.monotonic() - max(self._heard_at, began)
            if silent_s > self._patience_s:
                raise NoAnswer(f"{self._api.base_url} gave no answer for {silent_s:.0f} s (last: {why})")
            # Spread out, so that all who wait do not come back in the same instant.
            await asyncio.sleep(max(wait_s, random.uniform(pause_s / 2, pause_s)))  # noqa: S311
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _in_passing(response: httpx2.Response) -> bool:
    """Refused for now only: the same request may well be taken a moment later."""
    if response.status_code == HTTPStatus.CONFLICT:
        return _problem(response).get("code") == "idempotency_key_in_flight"
    return response.status_code in _RETRIED


def _retry_after_s(response: httpx2.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else 0.0


def _refusal(response: httpx2.Response) -> Refused:
    problem = _problem(response)
    code, detail = str(problem.get("code", "unexpected")), str(problem.get("detail", ""))[:300]
    faults = problem.get("errors") or [{}]
    return Refused(response.status_code, code, detail, rule=str(faults[0].get("code", code)))


def _problem(response: httpx2.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
