"""Which keys of the trust feed were used here: told to identity once a minute, never on a request's way."""

from collections.abc import Iterator

import httpx2
from pydantic import SecretStr

from service_kit.polling import Poller, Unusable

EVERY_S = 60.0
# What identity takes at once.
MOST_AT_ONCE = 1_000
PATH = "key-uses"


class KeyUses:
    """Notes prefixes, and the component that tells them (`poller`). What identity could not be told is told
    the next time; what a process has noted when it ends is lost."""

    def __init__(
        self, trust_url: str, key: SecretStr, http: httpx2.AsyncClient, *, every_s: float = EVERY_S
    ) -> None:
        self.poller = Poller("identity of keys that were used", self._tell, every_s=every_s, pause_s=every_s)
        self._url = f"{trust_url}/{PATH}"
        self._key = key
        self._http = http
        # No more than there are good keys: only who was let in is noted.
        self._used: set[str] = set()

    def note(self, prefix: str) -> None:
        """The key was used just now."""
        self._used.add(prefix)

    async def _tell(self) -> None:
        used, self._used = self._used, set()
        headers = {"authorization": f"Bearer {self._key.get_secret_value()}"}
        try:
            for prefixes in _portions(used):
                answer = await self._http.post(self._url, json={"prefixes": prefixes}, headers=headers)
                if answer.status_code != 204:
                    raise Unusable(f"status {answer.status_code}")
        except BaseException:
            self._used |= used
            raise


def _portions(used: set[str]) -> Iterator[list[str]]:
    ordered = sorted(used)
    for begin in range(0, len(ordered), MOST_AT_ONCE):
        yield ordered[begin : begin + MOST_AT_ONCE]
