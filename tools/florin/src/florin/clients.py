"""HTTP clients of a stack's services, with the key of one of its clients."""

import httpx2

from florin.environment import Surroundings

TIMEOUT_S = 30.0
CONNECTIONS = 64


def api_client(
    surroundings: Surroundings, service: str, *, client: str = "demo", timeout_s: float = TIMEOUT_S
) -> httpx2.AsyncClient:
    """A client of one service's API, authenticated; the caller closes it (`async with`)."""
    return httpx2.AsyncClient(
        base_url=surroundings.api_url(service),
        headers={"Authorization": f"Bearer {surroundings.credentials.api_keys[client]}"},
        timeout=timeout_s,
        limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        # A proxy of the environment has no business between us and this machine.
        trust_env=False,
    )
