"""How often a sign-in may be tried: pauses that grow, by account and by address."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Pacing:
    """`pauses_s[n - 1]` is the pause in seconds after the n-th attempt without a success; the last one stays.

    What was counted is forgotten `memory` after the last attempt.
    """

    pauses_s: tuple[int, ...]
    memory: timedelta = timedelta(days=1)

    def pause_s(self, attempts: int) -> int:
        """The pause after so many attempts, one at least."""
        return self.pauses_s[min(attempts, len(self.pauses_s)) - 1]


# About a hundred guesses a day, by which not even a bad password is found.
BY_ACCOUNT = Pacing((*(0,) * 4, 15, 30, MINUTE_S, 2 * MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S))
# A whole office may stand behind one address.
BY_ADDRESS = Pacing((*(0,) * 49, 15, 30, MINUTE_S, 2 * MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S))


class SignInRefused(Exception):
    """Unknown, wrong, used or not allowed: who asks is not told which."""


class SignInLocked(Exception):
    """Too many attempts. Nothing was looked at."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"locked for {retry_after_s} s")
        self.retry_after_s = retry_after_s


class SignInUnavailable(Exception):
    """Attempts and sessions cannot be counted or read, so nobody is let in."""


def counted_address(address: str) -> str:
    """The address by which attempts are counted: of IPv6 the /64, of which one subscriber has them all."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
