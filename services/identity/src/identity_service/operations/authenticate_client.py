"""Tell whether a client is who it says, by one of its API keys."""

import hmac

from service_kit.auth import key_digest
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import ApiKey, KeyState, prefix_of
from identity_service.domain.client import ClientStatus
from identity_service.persistence import api_keys, clients


class InvalidClient(Exception):
    """The client is unknown or suspended, or the secret is none of its good keys: all in the same words."""


async def authenticate_client(
    connection: AsyncConnection, client_id: str, secret: str, *, pepper: bytes, clock: Clock
) -> ApiKey:
    """The key that was shown, with what it may do at most now. Raises InvalidClient.

    Until the transaction ends the client stays as it is: what is done for it now is earlier than whatever
    shuts it out.
    """
    client = await clients.load_held(connection, client_id)
    found = await api_keys.find(connection, prefix_of(secret))
    key, expected = found or (None, bytes(32))
    # Compared even when the prefix is unknown, so that known prefixes cannot be told by the clock.
    matches = hmac.compare_digest(key_digest(secret, pepper), expected)
    if client is None or client.status is not ClientStatus.ACTIVE or key is None or not matches:
        raise InvalidClient
    if key.client_id != client.id or key.state(clock.now()) is not KeyState.ACTIVE:
        raise InvalidClient
    return key
