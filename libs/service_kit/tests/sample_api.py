"""A small API behind the whole stack, and a client that sends it whatever bytes a test wants."""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from service_kit.auth import ApiKeys, Client, key_digest, requires
from service_kit.database import CommitOutcomeUnknown, DatabaseUnavailable
from service_kit.http import create_app
from service_kit.idempotency import idempotency_key
from service_kit.limits import Limits
from service_kit.problems import Problem
from service_kit.telemetry import current_traceparent

PEPPER = b"a pepper for tests only"
REQUEST_TIMEOUT_S = 0.3
BODY_BYTES = 2_000


def api_key(prefix: str) -> str:
    return f"flk_{prefix}_{'k' * 43}"


class NewPayment(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    debtor: str = Field(min_length=1, max_length=40)
    amount_minor: int = Field(ge=1, le=1_000)
    note: str | None = None
    tags: dict[str, Any] | None = None


class Accepted(BaseModel):
    key: str
    client: str
    traceparent: str | None


@dataclass
class LimitReached(Exception):
    limit: int


Writer = Annotated[Client, Depends(requires("payments:write"))]
Key = Annotated[str, Depends(idempotency_key)]


def routes(reached: list[str]) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/payments", status_code=202)
    async def create_payment(body: NewPayment, client: Writer, key: Key) -> Accepted:
        reached.append(body.debtor)
        return Accepted(key=key, client=client.id, traceparent=current_traceparent())

    @router.get("/payments/{number}")
    async def read_payment(number: int, client: Writer, limit: int = 50) -> Accepted:
        return Accepted(key=str(number + limit), client=client.id, traceparent=current_traceparent())

    @router.post("/failures/{kind}")
    async def fail(kind: str, client: Writer) -> None:
        raise {
            "bug": RuntimeError("secret detail of ours"),
            "limit": LimitReached(limit=7),
            "down": DatabaseUnavailable("refused"),
            "unknown": CommitOutcomeUnknown("lost"),
        }[kind]

    return router


@dataclass
class Sample:
    """The API, its server's port, and the debtors of the requests that reached the handler."""

    app: FastAPI
    reached: list[str]
    port: int = 0

    async def send(self, *chunks: bytes, finish: bool = True, wait_s: float = 5.0) -> "Answer":
        """Writes raw bytes to a new connection and reads until the server closes it or has answered once."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
            async with asyncio.timeout(wait_s):
                return await Answer.read(reader)
        finally:
            writer.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.json["code"])

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> "Answer":
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return cls(int(head[0].split()[1]), headers, body)


def make_sample() -> Sample:
    """The API, unserved."""
    reached: list[str] = []
    return Sample(make_api([routes(reached)]), reached)


def make_api(routers: list[APIRouter]) -> FastAPI:
    """These routes, for a client that may write and one that may only read."""
    keys = ApiKeys(
        [
            (
                Client("demo", frozenset({"payments:write"}), "key:abcdefgh"),
                key_digest(api_key("abcdefgh"), PEPPER),
            ),
            (
                Client("reader", frozenset({"payments:read"}), "key:readerzz"),
                key_digest(api_key("readerzz"), PEPPER),
            ),
        ],
        PEPPER,
    )
    return create_app(
        service="sample",
        title="Sample",
        version="1.0.0",
        api_keys=keys,
        routers=routers,
        errors={
            LimitReached: lambda error: Problem(422, "limit_reached", "Limit", f"At most {error.limit}.")
        },
        limits=Limits(
            body_bytes=BODY_BYTES, json_depth=8, target_bytes=1_000, header_count=40, header_bytes=8_000
        ),
    )
