"""Another client's id answers like one that never was, byte for byte and by the same statements, wherever an
id is taken; another's cursor shows nothing of its own. Over all operations that the services tell of."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import running_services
from testkit.waiting import eventually

from .api_operations import Operation, operations
from .statements_seen import StatementLog, logging_statements
from .tenants import Tenant, tenant

# What stands in a path and is no client's own: the same words for all.
WORDS: dict[str, str] = {"level": "basic", "version": "1"}
READ_WITH: Mapping[str, Mapping[str, str]] = {
    "/v1/accounts/{account}/statement": {"from": "2026-01-01T00:00:00Z", "to": "2199-01-01T00:00:00Z"}
}
# Where the smallest body that fits the schema would be refused for what it says.
BODIES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("PATCH", "/v1/customers/{customer_id}"): {"name": "Nobody"},
    ("PATCH", "/v1/webhook-endpoints/{endpoint_id}"): {"description": "none"},
}
# Whose it is shows by the id itself, and any other is refused without a look.
SHOWS_ITSELF = "client_id"
# Lists of which no client has two entries, and one that is the same for all clients.
NEVER_LONG = frozenset({"/v1/clients", "/v1/rules/versions"})
# What differs between any two answers.
_ITS_OWN = re.compile(r'"(trace_id|request_id)":"[^"]*"')
_ITS_OWN_HEADERS = frozenset({"date", "x-request-id", "traceparent"})

OPERATIONS = list(operations())
# Each id of a path in turn: those before it are the caller's own.
WITH_ID = [
    pytest.param(operation, position, id=f"{operation}-{operation.placeholders[position]}")
    for operation in OPERATIONS
    for position in range(len(operation.placeholders))
    if operation.placeholders[position] not in WORDS
]
LISTS = [pytest.param(operation, id=str(operation)) for operation in OPERATIONS if operation.is_list]


@dataclass
class Street:
    """Two neighbours, and what Postgres is asked on their behalf."""

    owner: Tenant
    other: Tenant
    log: StatementLog


@pytest.fixture(scope="module")
async def street(backing: Backing, databases: Databases) -> AsyncIterator[Street]:
    with ExitStack() as closing:
        settings = {"FLORIN_REDIS_URL": backing.redis_url}
        running = closing.enter_context(running_services(backing, databases, settings=settings))
        async with (
            tenant(running) as owner,
            tenant(running) as other,
            logging_statements(backing, running.database_name) as log,
        ):
            yield Street(owner, other, log)


async def ask(caller: Tenant, operation: Operation, ids: Mapping[str, str], **query: str) -> httpx2.Response:
    """The operation on these ids, with a body that fits."""
    given: dict[str, Any] = {"params": {**READ_WITH.get(operation.path, {}), **query}}
    if operation.body is not None:
        given["json"] = BODIES.get(operation.key) or operation.fitting_body()
    return await caller.ask(
        operation.service, operation.method, operation.at(ids), by_cookie=operation.by_cookie, **given
    )


def absent(name: str) -> str:
    """An id of the same form that nobody has."""
    try:
        UUID(name)
    except ValueError:
        kept = name.rpartition("-")
        return f"{kept[0]}-{uuid4().hex[: len(kept[2])]}"
    return str(uuid4())


def told(answer: httpx2.Response, ids: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """All of an answer but what differs between any two, and the ids that were asked for."""
    headers = {name: value for name, value in answer.headers.items() if name not in _ITS_OWN_HEADERS}
    text = _ITS_OWN.sub("", answer.text)
    for name in ids.values():
        text = text.replace(name, "-")
    return answer.status_code, headers, text


@pytest.mark.parametrize(("operation", "position"), WITH_ID)
async def test_another_clients_id_answers_like_one_that_never_was(
    street: Street, operation: Operation, position: int
) -> None:
    owner, other = street.owner, street.other
    names = operation.placeholders
    owners, others = owner.ids_in(operation.service), other.ids_in(operation.service)
    assert set(names) <= owners.keys() | WORDS.keys(), "a thing that the tenants of this test do not have"
    own = {name: WORDS.get(name) or others[name] for name in names}
    foreign = own | {name: owners[name] for name in names[position:] if name not in WORDS}
    changed = [name for name in names[position:] if name not in WORDS]

    def nobodys() -> dict[str, str]:
        return own | {name: absent(owners[name]) for name in changed}

    missing = nobodys()
    answer = await ask(other, operation, foreign)
    assert told(answer, foreign) == told(await ask(other, operation, missing), missing)
    assert answer.status_code == 404, answer.text
    if operation.method == "GET":
        assert (await ask(owner, operation, owners | WORDS)).status_code == 200

    async def same_statements() -> bool:
        on_foreign = await street.log.of(operation.service, lambda: ask(other, operation, foreign))
        on_absent = await street.log.of(operation.service, lambda: ask(other, operation, nobodys()))
        assert on_foreign == on_absent
        assert on_foreign or changed[0] == SHOWS_ITSELF, "nothing was asked of Postgres: this proves nothing"
        return True

    # What a service does by itself meanwhile may fall into one of the two: not again and again.
    await eventually(same_statements, timeout_s=10)


@pytest.mark.parametrize("operation", LISTS)
async def test_another_clients_cursor_shows_nothing_of_its_own(street: Street, operation: Operation) -> None:
    owner, other = street.owner, street.other
    first = await ask(owner, operation, owner.ids | WORDS, limit="1")
    assert first.status_code == 200, first.text
    cursor = first.json()["next_cursor"]
    assert cursor is not None or operation.path in NEVER_LONG, "the list has one entry: this proves nothing"
    if cursor is None:
        return
    everything = await ask(other, operation, other.ids | WORDS, limit="200")
    answer = await ask(other, operation, other.ids | WORDS, cursor=cursor)
    if answer.status_code != 400:
        assert answer.status_code == 200, answer.text
        # Read again: an entry of the audit log is sealed meanwhile, and then says so.
        later = await ask(other, operation, other.ids | WORDS, limit="200")
        own = [*everything.json()["items"], *later.json()["items"]]
        assert [one for one in answer.json()["items"] if one not in own] == []


def test_every_operation_that_takes_an_id_or_a_cursor_is_tested() -> None:
    """Of each service: what is not among them takes neither."""
    tested = {str(param.values[0]) for param in (*WITH_ID, *LISTS)}
    assert {one.service for one in OPERATIONS} == {test.split(" ")[0] for test in tested}
    for operation in OPERATIONS:
        if str(operation) not in tested:
            assert set(operation.placeholders) <= WORDS.keys()
            assert ("query", "cursor") not in operation.parameters
