"""Asking the account and the fraud service what they would decide, at the same time, within a deadline.

No answer is an answer too: whatever goes wrong is told with its reason, and nothing is guessed.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from opentelemetry.trace import SpanKind
from service_kit.circuit_breaker import CircuitBreaker, CircuitOpen, PeerFailed
from service_kit.telemetry import child_span, current_traceparent

DEADLINE_S = 2.0
MAX_ANSWER_BYTES = 64 * 1024
_CONNECTIONS = 32
_PATH = "/v1/dry-runs"


@dataclass(frozen=True, slots=True)
class PeerAddresses:
    """Base URLs of the two services, and the key with the scope `dry-run:ask`."""

    account: str | None = None
    fraud: str | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why a service gave none: `not_configured`, `circuit_open`, `timeout`, `unreachable`, `status_N`,
    `malformed_answer`."""

    reason: str


PeerAnswer = Mapping[str, Any] | NoAnswer


class Peers:
    """The two services, each behind a circuit breaker. Close it at the end."""

    def __init__(
        self,
        addresses: PeerAddresses,
        *,
        deadline_s: float = DEADLINE_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        breaker: Callable[[str], CircuitBreaker] = CircuitBreaker,
    ) -> None:
        self._addresses = addresses
        self._account, self._fraud = breaker("account"), breaker("fraud")
        self._deadline_s = deadline_s
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {addresses.api_key}"} if addresses.api_key else {},
            timeout=deadline_s,
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            # A proxy of the environment has no business between us and our own services.
            trust_env=False,
            transport=transport,
        )

    async def ask(
        self, *, account: Mapping[str, Any], fraud: Mapping[str, Any]
    ) -> tuple[PeerAnswer, PeerAnswer]:
        """Return what account and fraud say of it; never raises for what they or the network do."""
        told = await asyncio.gather(
            self._ask(self._account, self._addresses.account, account),
            self._ask(self._fraud, self._addresses.fraud, fraud),
        )
        return told[0], told[1]

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.aclose()

    async def _ask(
        self, breaker: CircuitBreaker, base_url: str | None, body: Mapping[str, Any]
    ) -> PeerAnswer:
        if base_url is None or self._addresses.api_key is None:
            return NoAnswer("not_configured")
        try:
            with breaker.call():
                return await self._post_in_time(base_url.rstrip("/") + _PATH, body)
        except CircuitOpen:
            return NoAnswer("circuit_open")
        except PeerFailed as failure:
            return NoAnswer(failure.reason)

    async def _post_in_time(self, url: str, body: Mapping[str, Any]) -> PeerAnswer:
        """An answer, a refusal among them; raises PeerFailed for what is none."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._post(url, body)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise PeerFailed("timeout") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise PeerFailed("unreachable") from error

    async def _post(self, url: str, body: Mapping[str, Any]) -> PeerAnswer:
        with child_span(f"POST {_PATH}", SpanKind.CLIENT, http_request_method="POST"):
            traceparent = current_traceparent()
            headers = {"traceparent": traceparent} if traceparent is not None else {}
            async with self._client.stream("POST", url, json=dict(body), headers=headers) as response:
                status = response.status_code
                if status >= 500:
                    raise PeerFailed(f"status_{status}")
                if status != 200:
                    # It lives, and refuses: a key that is not good would be refused again, and as quickly.
                    return NoAnswer(f"status_{status}")
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise PeerFailed("malformed_answer")
        try:
            answer = httpx2.Response(200, content=bytes(content)).json()
        except ValueError as error:
            raise PeerFailed("malformed_answer") from error
        if not isinstance(answer, dict):
            raise PeerFailed("malformed_answer")
        return answer
