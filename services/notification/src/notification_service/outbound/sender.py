"""Posting a webhook: to a checked address, once, within a deadline, reading only a little of the answer.

Built on httpcore2, below httpx2: no redirects, cookies, proxies or environment to switch off, and its network
backend is the one place where a name turns into a connection, which is where the check must be.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import httpcore2
from service_kit.clock import Clock

from notification_service.domain.delivery import Answer, AttemptError, answered
from notification_service.domain.retry import parse_retry_after
from notification_service.domain.snippet import sanitise
from notification_service.domain.target import TargetRefused, parse_target

from .resolver import TargetCheck

MAX_CONNECT_TRIES: Final = 3
MAX_RESPONSE_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    """Bounds of one attempt: `total_s` covers everything from the name's look-up to the end of the answer."""

    total_s: float = 20.0
    connect_s: float = 5.0
    connections: int = 64
    # Short: a connection that lies idle longer is often closed by the receiver just as it is used again.
    keepalive_s: float = 5.0


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that were checked for this very connection.

    The name is resolved once, here, and the connection goes to the address that was checked, so there is no
    second look-up that could answer otherwise. TLS still verifies the name, which httpcore2 knows by itself.
    """

    def __init__(self, check: TargetCheck) -> None:
        self._check = check
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._check.addresses_of(host)
        failure: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:MAX_CONNECT_TRIES]:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class WebhookSender:
    """Makes one attempt and says what came of it; never raises for what a receiver or the network does."""

    def __init__(
        self,
        *,
        check: TargetCheck,
        limits: SendLimits,
        clock: Clock,
        ssl_context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context or httpcore2.default_ssl_context(),
            max_connections=limits.connections,
            max_keepalive_connections=limits.connections,
            keepalive_expiry=limits.keepalive_s,
            http1=True,
            http2=False,
            retries=0,
            network_backend=CheckedNetwork(check),
        )

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> tuple[Answer, int]:
        """The receiver's answer, or why there was none, and how many milliseconds it took."""
        began = self._monotonic()
        deadline = asyncio.timeout(self._limits.total_s)
        try:
            async with deadline:
                answer = await self._post(url, headers, body)
        except TargetRefused as refusal:
            code = refusal.code
            not_public = code == "webhook_host_not_public"
            error = AttemptError.HOST_NOT_PUBLIC if not_public else AttemptError.URL_NOT_ALLOWED
            answer = Answer(status_code=None, error=error, detail=code)
        except (TimeoutError, httpcore2.TimeoutException):
            answer = Answer(status_code=None, error=AttemptError.TIMEOUT)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as failure:
            # Cut off by the deadline in mid-read, the library may tell of the connection it lost by that.
            answer = (
                Answer(status_code=None, error=AttemptError.TIMEOUT)
                if deadline.expired()
                else _describe(failure)
            )
        return answer, max(0, round((self._monotonic() - began) * 1_000))

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._pool.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        # Checked again at every attempt: the policy may have become stricter since the registration.
        target = parse_target(url, self._check.policy)
        fixed = {"host": target.authority, "content-length": str(len(body)), "accept-encoding": "identity"}
        async with self._pool.stream(
            "POST",
            httpcore2.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.path.encode(),
            ),
            headers=[(name.encode(), value.encode()) for name, value in (fixed | dict(headers)).items()],
            content=body,
            extensions={"timeout": self._timeouts()},
        ) as response:
            asked = _header(response, b"retry-after")
            beginning = await self._read_a_little(response)
            return answered(
                response.status,
                retry_after_s=parse_retry_after(asked, now=self._clock.now()),
                snippet=sanitise(beginning),
            )

    async def _read_a_little(self, response: httpcore2.Response) -> bytes:
        """The beginning of the body. The status has been given: whatever the body does cannot undo it."""
        read = bytearray()
        try:
            # A share of the deadline, so that a body that trickles does not turn an answer into a timeout.
            async with asyncio.timeout(self._limits.total_s / 10):
                async for chunk in response.aiter_stream():
                    read += chunk[: MAX_RESPONSE_BYTES - len(read)]
                    if len(read) >= MAX_RESPONSE_BYTES:
                        break
        except (TimeoutError, httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError):
            pass
        return bytes(read)

    def _timeouts(self) -> dict[str, float]:
        total_s = self._limits.total_s
        return {"connect": self._limits.connect_s, "read": total_s, "write": total_s, "pool": total_s}


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _describe(failure: Exception) -> Answer:
    """An error code, and for TLS the reason; never the address or the text of the exception."""
    cause: BaseException | None = failure
    for _ in range(5):
        if cause is None:
            break
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = sanitise(cause.verify_message.encode())[:200] or None
            return Answer(status_code=None, error=AttemptError.TLS_FAILED, detail=detail)
        if isinstance(cause, ssl.SSLError):
            return Answer(status_code=None, error=AttemptError.TLS_FAILED)
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, httpcore2.ConnectError):
        error = AttemptError.CONNECT_FAILED
    elif isinstance(failure, httpcore2.ProtocolError) and "disconnected" not in str(failure):
        error = AttemptError.PROTOCOL_ERROR
    else:
        error = AttemptError.CONNECTION_LOST
    return Answer(status_code=None, error=error)
