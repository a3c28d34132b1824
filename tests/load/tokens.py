"""What access tokens cost the payment path: single POSTs by API key and by access token, in turns."""

from typing import Any

from florin.own_clients import OwnClient, TokenAuth, own_client

from .bench import Bench, Measured
from .figures import median, ratio

# Whose accounts the load pays between: to both bearers it is the same client.
CLIENT = "demo"
SCOPES = ("payments:write", "payments:read")


async def measure_tokens(bench: Bench, *, rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """The medians of both rates in payments settled a second, and the ratio of tokens to keys; beside
    them the CPU time of the transaction service for a payment, which varies less with what else runs here.

    Which of the two begins changes from turn to turn, so that a machine that slows down favours neither.
    """
    client = await own_client(bench.stack.surroundings, CLIENT, scopes=SCOPES, label="bench")
    found: dict[str, list[Measured]] = {"key": [], "token": []}
    for turn in range(rounds):
        for kind in ("key", "token")[:: 1 if turn % 2 == 0 else -1]:
            bearer = await _bearer(bench, kind, client)
            one = await bench.measure(
                f"tokens-{kind}-{turn}", seconds=seconds, connections=connections, bearer=bearer
            )
            bench.say(f"single POSTs by {kind}: {one.tps:,.0f} settled/s")
            found[kind].append(one)
    cpu_ms = {kind: round(median([_cpu_ms(one) for one in ones]), 3) for kind, ones in found.items()}
    tps = {kind: round(median([one.tps for one in ones]), 1) for kind, ones in found.items()}
    return {
        "key_tps": tps["key"],
        "token_tps": tps["token"],
        "token_ratio": ratio(tps["token"], tps["key"]),
        "key_cpu_ms": cpu_ms["key"],
        "token_cpu_ms": cpu_ms["token"],
        "token_turns": {kind: [one.tps for one in ones] for kind, ones in found.items()},
    }


def _cpu_ms(one: Measured) -> float:
    """Of the service that lets the payment in."""
    return one.cpu_s_per_1000["transaction"]


async def _bearer(bench: Bench, kind: str, client: OwnClient) -> str:
    """A token is new in each turn, as nobody has seen it yet."""
    surroundings = bench.stack.surroundings
    if kind == "key":
        return surroundings.credentials.api_keys[CLIENT]
    return await TokenAuth(surroundings, client).token()
