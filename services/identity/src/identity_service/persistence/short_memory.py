"""Redis or Valkey: what is counted and open for minutes or hours. Without it nobody is let in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from identity_service.domain.sign_in import SignInUnavailable

T = TypeVar("T")

_PREFIX = "florin:identity:"
# Never connected to.
_NOWHERE = "redis://127.0.0.1:1"
_TIMEOUT_S = 1.0
_MAX_CONNECTIONS = 50
# The reply of a script, by name of its key and arguments.
Script = Callable[[Sequence[str], Sequence[str | int]], Awaitable[Any]]

_log = structlog.stdlib.get_logger(__name__)


class ShortMemory:
    """A connection pool, and the one place where its absence becomes SignInUnavailable; without an address
    nothing is ever kept."""

    def __init__(self, url: str | None) -> None:
        self._configured = url is not None
        self._redis = Redis.from_url(
            url or _NOWHERE,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            max_connections=_MAX_CONNECTIONS,
            # Once more for a connection that a restarted server has closed.
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )

    def script(self, source: str) -> Script:
        """A script that runs as one step, with all its keys under our prefix."""
        registered = self._redis.register_script(source)

        async def run(keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
            names = [_PREFIX + key for key in keys]
            return await self._reach(lambda: registered(keys=names, args=list(arguments)))

        return run

    async def get(self, key: str) -> str | None:
        """What is kept under the key. Raises SignInUnavailable, as all others here do."""
        return cast("str | None", await self._reach(lambda: self._redis.get(_PREFIX + key)))

    async def keep(self, key: str, value: str, *, seconds: int) -> None:
        """Keep it for so long."""
        await self._reach(lambda: self._redis.set(_PREFIX + key, value, ex=seconds))

    async def forget(self, key: str) -> bool:
        """Whether there was something until now; of any number at once one is told so."""
        return bool(await self._reach(lambda: self._redis.delete(_PREFIX + key)))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _reach(self, ask: Callable[[], Awaitable[T]]) -> T:
        if not self._configured:
            raise SignInUnavailable
        try:
            return await ask()
        except (RedisError, OSError) as error:
            _log.warning("redis unavailable", error=type(error).__name__)
            raise SignInUnavailable from error
