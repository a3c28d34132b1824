"""A secret and a phone number, planted in every input that the services have, are told on by nothing: no log
line, metric, trace or message's header, and no refusal.

The inputs are those of the OpenAPI documents, so that a route is among them from its first day.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from florin.own_clients import own_client
from florin.ports import HOST
from florin.services import PROCESSES
from messaging.broker import open_channel
from messaging.topology import Topology
from service_kit.access import SCOPES
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services
from testkit.waiting import eventually

from .api_operations import FORM, JSON, Operation, operations
from .plain_text import Planted, in_bodies, in_files, spellings
from .tenants import COOKIE, PASSWORD, Tenant, tenant
from .traces_seen import collecting_traces

AT_ONCE = 8
# What any request may bear beside what its route tells of, all of it at once,
HEADERS = (
    *("user-agent", "x-request-id", "traceparent", "tracestate", "baggage", "x-forwarded-for", "forwarded"),
    *("referer", "accept", "accept-language", "x-api-key"),
)
# and by what a request is let in or refused, one at a time.
CREDENTIALS = (
    ("authorization", "Bearer {}"),
    ("authorization", "Basic {}"),
    ("cookie", f"{COOKIE}={{}}"),
    ("origin", "https://{}"),
    ("content-type", "text/{}"),
)


@dataclass
class Canary:
    """What must not be found again, in the spellings in which it might be."""

    word: str = field(default_factory=lambda: f"canary{uuid4().hex[:14]}")
    person: Planted = field(default_factory=Planted)

    @property
    def values(self) -> tuple[str, str]:
        return self.word, self.person.mobile

    def betraying(self) -> list[bytes]:
        return [*spellings([self.word]), *self.person.betraying()]


@dataclass
class Request:
    """One way to plant it: where, and all else as it should be."""

    operation: Operation
    ids: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


def requests(operation: Operation, canary: str, ids: Mapping[str, str]) -> Iterator[Request]:
    """The canary in each input of the operation in turn, and then in all of them."""
    body = operation.fitting_body(all_fields=True)
    content = encoded(operation, body)
    for name in operation.placeholders:
        yield Request(operation, {**ids, name: canary}, content=content)
    query = [name for place, name in operation.parameters if place == "query"]
    for name in (*query, "q", canary):
        yield Request(operation, ids, query={name: canary}, content=content)
    headers = [name for place, name in operation.parameters if place == "header"]
    for name in headers:
        yield Request(operation, ids, headers={name: canary}, content=content)
    for name, form in CREDENTIALS:
        yield Request(operation, ids, headers={name: form.format(canary)}, content=content)
    yield Request(operation, ids, headers=dict.fromkeys(HEADERS, canary), content=content)
    if body is not None:
        for planted in with_planted(body, canary):
            yield Request(operation, ids, content=encoded(operation, planted))
        yield Request(operation, ids, content=encoded(operation, {**body, canary: canary}))
        yield Request(operation, ids, content=canary.encode())
        yield Request(operation, ids, content=f'{{"{canary}": "{canary}'.encode())
    everywhere = dict.fromkeys(query, canary)
    yield Request(operation, dict.fromkeys(ids, canary), everywhere, {"idempotency-key": canary}, content)


def encoded(operation: Operation, body: Any) -> bytes | None:
    """The body as the operation takes it."""
    if body is None:
        return None
    if operation.media_type == FORM:
        return str(httpx2.QueryParams({name: str(value) for name, value in body.items()})).encode()
    return json.dumps(body).encode()


def with_planted(node: Any, canary: str) -> Iterator[Any]:
    """The document once for each of its leaves, which holds the canary."""
    if isinstance(node, dict):
        for name, value in node.items():
            for planted in with_planted(value, canary):
                yield {**node, name: planted}
    elif isinstance(node, list) and node:
        for planted in with_planted(node[0], canary):
            yield [planted, *node[1:]]
    else:
        yield canary


@dataclass
class Stage:
    """Running services, one who calls them, and everything that they tell."""

    running: RunningServices
    backing: Backing
    caller: Tenant
    headers: list[bytes]
    traces: list[bytes]
    answers: list[httpx2.Response] = field(default_factory=list)

    async def send(self, request: Request) -> None:
        """One request; its answer is kept."""
        operation = request.operation
        headers = {"content-type": operation.media_type or JSON, **request.headers}
        answer = await self.caller.ask(
            operation.service,
            operation.method,
            operation.at({name: request.ids.get(name, "1") for name in operation.placeholders}),
            by_cookie=operation.by_cookie,
            headers=headers,
            params=dict(request.query),
            content=request.content,
        )
        self.answers.append(answer)

    def log_files(self) -> list[Path]:
        """What the services have written, and what their servers wrote about them."""
        own = list((self.running.surroundings.run_dir / "logs").glob("*.log"))
        assert len(own) == len(PROCESSES), "the services' logs were not found"
        return [*own, *self.backing.folder.glob("**/*.log")]

    async def metrics(self) -> list[bytes]:
        """Of every service."""
        found = []
        async with httpx2.AsyncClient(trust_env=False) as http:
            for service in PROCESSES:
                port = self.running.surroundings.ports.internal(service)
                found.append((await http.get(f"http://{HOST}:{port}/metrics")).content)
        return found

    async def assert_untold(self, wanted: Sequence[bytes]) -> None:
        """Nothing that left the services holds one of these."""
        assert in_files(self.log_files(), wanted) == []
        assert not in_bodies(await self.metrics(), wanted)
        assert not in_bodies(self.traces, wanted)
        assert not in_bodies(self.headers, wanted)


@asynccontextmanager
async def heard_headers(running: RunningServices) -> AsyncIterator[list[bytes]]:
    """The headers and properties of every message on the bus."""
    surroundings = running.surroundings
    async with open_channel(surroundings.broker_url, name="raw consumer") as channel:
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        await queue.bind(Topology(surroundings.namespace).exchange, "#")
        heard: list[bytes] = []

        async def keep(message: Any) -> None:
            heard.append(repr((message.headers, message.properties, message.routing_key)).encode())

        await queue.consume(keep, no_ack=True)
        yield heard


@pytest.fixture(scope="module")
async def stage(backing: Backing, databases: Databases) -> AsyncIterator[Stage]:
    with ExitStack() as closing:
        url, traces = closing.enter_context(collecting_traces())
        settings = {
            "FLORIN_REDIS_URL": backing.redis_url,
            "FLORIN_LOG_LEVEL": "DEBUG",
            "FLORIN_OTLP_ENDPOINT": url,
            "FLORIN_TRACE_SHARE": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        running = closing.enter_context(running_services(backing, databases, settings=settings))
        async with heard_headers(running) as headers, tenant(running) as caller:
            yield Stage(running, backing, caller, headers, traces)


async def let_do_everything(stage: Stage) -> None:
    """The caller shows a key with every scope from now on, so that no input is refused for want of one."""
    name = f"everything-{uuid4().hex[:8]}"
    client = await own_client(stage.running.surroundings, name, scopes=sorted(SCOPES), label="test")
    stage.caller.secret = client.secret

    async def is_known() -> bool:
        answers = [await stage.caller.ask(service, "GET", "/v1/audit") for service in PROCESSES]
        return all(answer.is_success for answer in answers)

    await eventually(is_known, timeout_s=20)


async def test_no_input_of_any_route_is_told_on(stage: Stage) -> None:
    await let_do_everything(stage)
    canary = Canary()
    waiting = [
        request
        for operation in operations()
        for value in canary.values
        for request in requests(operation, value, stage.caller.ids_in(operation.service))
    ]
    first = {str(operation) for operation in operations()}
    assert first == {str(request.operation) for request in waiting}
    taking = iter(waiting)

    async def take_on() -> None:
        for request in taking:
            await stage.send(request)

    await asyncio.gather(*(take_on() for _ in range(AT_ONCE)))
    wanted = canary.betraying()
    assert [answer.text for answer in stage.answers if answer.status_code >= 500] == []
    assert [answer.text for answer in stage.answers if answer.is_error and echoes(answer, canary)] == []
    await eventually(lambda: in_bodies(stage.traces, [b"/v1/people"]), timeout_s=20)
    await stage.assert_untold(wanted)


def echoes(answer: httpx2.Response, canary: Canary) -> bool:
    """Whether the refusal tells a value that was sent; the name of a field that there is not is told back."""
    problem = answer.json()
    for fault in problem.get("errors", ()) if isinstance(problem, dict) else ():
        fault.pop("field")
    return in_bodies([json.dumps(problem, ensure_ascii=False).encode()], canary.betraying())


async def test_no_real_secret_is_told_on(stage: Stage) -> None:
    """What people and systems sign in by, and what the services themselves are given."""
    surroundings = stage.running.surroundings
    async with tenant(stage.running) as one:
        wanted = [one.secret, one.cookie, PASSWORD, *one.secrets]
    credentials = surroundings.credentials
    wanted += [
        credentials.api_key_pepper,
        credentials.blind_index_key,
        credentials.postgres,
        credentials.broker,
    ]
    wanted += [*credentials.roles.values(), *credentials.api_keys.values()]
    for file in ("keyring.json", "key-encryption-keys.json", "identity-keys.json"):
        wanted += [key["secret"] for key in json.loads((surroundings.run_dir / file).read_text())["keys"]]
    assert all(len(secret) > 8 for secret in wanted)
    logs = stage.log_files()
    assert in_files(logs, [b'"route":"/v1/enrolment"']), "no request was logged: this would prove nothing"
    await eventually(lambda: in_bodies(stage.traces, [b"/v1/enrolment"]), timeout_s=20)
    assert stage.headers
    await stage.assert_untold([secret.encode() for secret in wanted])


@pytest.mark.parametrize("where", ["logs", "metrics", "traces", "headers"])
async def test_what_is_told_is_found(stage: Stage, where: str) -> None:
    """The same search, for what does stand there."""
    everywhere = {"logs": b'"service":"identity"', "metrics": b"florin_http_request_duration_seconds"}
    everywhere |= {"traces": b"florin-identity", "headers": b"florin.payment"}
    await eventually(lambda: in_bodies(stage.traces, [b"florin-identity"]), timeout_s=20)
    with pytest.raises(AssertionError):
        await stage.assert_untold([everywhere[where]])
