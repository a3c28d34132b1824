"""The audit logs of a stack's services: entries by the API, which writes the reading down, heads by SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from florin.audit_heads import write_head
from florin.clients import api_client
from florin.environment import Surroundings
from florin.errors import StackError
from florin.provision import AUDITOR
from florin.verification.audit_log import heads_of
from florin.verification.report import snapshot


async def entries(
    surroundings: Surroundings, services: Sequence[str], *, key: str, asked: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What each service tells to the key of that name, with the service beside it, newest first. Raises
    StackError."""
    found: list[dict[str, Any]] = []
    for service in services:
        async with api_client(surroundings, service, client=key) as http:
            answer = await http.get("/v1/audit", params=dict(asked))
        if not answer.is_success:
            raise StackError(f"{service} does not tell its audit log: {answer.text}")
        found += [{"service": service, **item} for item in answer.json()["items"]]
    return sorted(found, key=lambda item: str(item["at"]), reverse=True)


async def head_lines(surroundings: Surroundings, services: Sequence[str]) -> list[str]:
    """Where each service's chain ends, as `florin verify --audit-head` takes it."""
    async with snapshot(surroundings.role_url(AUDITOR)) as connection:
        heads = await heads_of(connection)
    return [write_head(service, heads[service]) for service in services]
