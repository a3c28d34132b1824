"""A user of the broker for each service, with the least rights, made over the management's HTTP API."""

import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import httpx2

from florin.errors import StackError

TIMEOUT_S = 10.0
# The plugin may begin to listen a moment after AMQP does.
PATIENCE_S = 20.0
POLL_S = 0.2
NOTHING = "^$"


def apply(
    management_url: str,
    broker_url: str,
    namespace: str,
    *,
    passwords: Mapping[str, str],
    watcher_password: str | None = None,
) -> None:
    """Makes or mends the users of these services, and one that may only look at queues' lengths (for what
    scales workers by them); done again it changes nothing. Raises StackError.

    Whose certificates are good is told by the broker's address (`cafile`), for the management's as well.
    """
    from messaging.rights import rights_of
    from messaging.topology import Topology

    # In the path `/` is the virtual host `/`, as the client library reads it.
    host = quote(unquote(urlsplit(broker_url).path.removeprefix("/")) or "/", safe="")
    authority = dict(parse_qsl(urlsplit(broker_url).query)).get("cafile")
    verified = ssl.create_default_context(cafile=authority) if authority else True
    with httpx2.Client(base_url=management_url, timeout=TIMEOUT_S, trust_env=False, verify=verified) as api:
        _wait_for(api)
        for service, password in passwords.items():
            rights = rights_of(service, Topology(namespace))
            user = quote(rights.user, safe="")
            _put(api, f"/api/users/{user}", {"password": password, "tags": ""})
            permissions = {"configure": rights.configure, "write": rights.write, "read": rights.read}
            _put(api, f"/api/permissions/{host}/{user}", permissions)
            # The second pattern is for bindings, which nobody but the topology's own step makes.
            topics = {"exchange": rights.exchange, "write": rights.routing_keys, "read": "^$"}
            _put(api, f"/api/topic-permissions/{host}/{user}", topics)
        if watcher_password is not None:
            watcher = quote(watcher_of(namespace), safe="")
            _put(api, f"/api/users/{watcher}", {"password": watcher_password, "tags": "monitoring"})
            nothing = {"configure": NOTHING, "write": NOTHING, "read": NOTHING}
            _put(api, f"/api/permissions/{host}/{watcher}", nothing)


def watcher_of(namespace: str) -> str:
    """The user that sees how long queues are, and can neither read them nor write."""
    return f"{namespace}.watcher"


def url_of(broker_url: str, service: str, namespace: str, *, password: str) -> str:
    """The broker's address for one service's user."""
    from messaging.topology import Topology

    parts = urlsplit(broker_url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{Topology(namespace).queue(service)}:{password}@{where}"))


def _wait_for(api: httpx2.Client) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = api.get("/api/whoami")
        except httpx2.HTTPError as error:
            if time.monotonic() > deadline:
                raise StackError(f"the broker's management does not answer: {type(error).__name__}") from None
            time.sleep(POLL_S)
            continue
        if answer.status_code != httpx2.codes.OK:
            raise StackError(f"the broker's management refuses us: {answer.status_code}")
        return


def _put(api: httpx2.Client, path: str, document: dict[str, Any]) -> None:
    try:
        answer = api.put(path, json=document)
    except httpx2.HTTPError as error:
        raise StackError(f"the broker's management fell silent: {type(error).__name__}") from None
    if not answer.is_success:
        raise StackError(f"the broker's management refuses {path}: {answer.status_code}")
