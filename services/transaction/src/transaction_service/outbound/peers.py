"""Asking the account and the fraud service what they would decide, at the same time, within a deadline.

No answer is an answer too: whatever goes wrong is told with its reason, and nothing is guessed.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from opentelemetry.trace import SpanKind
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
    """Why a service gave none: `not_configured`, `timeout`, `unreachable`, `status_N`, `malformed_answer`."""

    reason: str


PeerAnswer = Mapping[str, Any] | NoAnswer


class Peers:
    """The two services. Close it at the end."""

    def __init__(
        self,
        addresses: PeerAddresses,
        *,
        deadline_s: float = DEADLINE_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._addresses = addresses
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
            self._ask(self._addresses.account, account), self._ask(self._addresses.fraud, fraud)
        )
        return told[0], told[1]

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.aclose()

    async def _ask(self, base_url: str | None, body: Mapping[str, Any]) -> PeerAnswer:
        if base_url is None or self._addresses.api_key is None:
            return NoAnswer("not_configured")
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._post(base_url.rstrip("/") + _PATH, body)
        except (TimeoutError, httpx2.TimeoutException):
            return NoAnswer("timeout")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            return NoAnswer("unreachable")

    async def _post(self, url: str, body: Mapping[str, Any]) -> PeerAnswer:
        with child_span(f"POST {_PATH}", SpanKind.CLIENT, http_request_method="POST"):
            traceparent = current_traceparent()
            headers = {"traceparent": traceparent} if traceparent is not None else {}
            async with self._client.stream("POST", url, json=dict(body), headers=headers) as response:
                if response.status_code != 200:
                    return NoAnswer(f"status_{response.status_code}")
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        return NoAnswer("malformed_answer")
        try:
            answer = httpx2.Response(200, content=bytes(content)).json()
        except ValueError:
            return NoAnswer("malformed_answer")
        return answer if isinstance(answer, dict) else NoAnswer("malformed_answer")
