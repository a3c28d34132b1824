"""Traces go on from the caller or begin anew; log lines are JSON and hold no secret."""

import io
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from service_kit.telemetry import configure_logging, current_traceparent, traces, within_trace
from service_kit.telemetry.logs import redact
from service_kit.telemetry.traces import parse_traceparent

Call = Callable[..., Awaitable[httpx2.Response]]
Lines = Callable[[], list[dict[str, Any]]]
GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def lines() -> Iterator[Lines]:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    stream = io.BytesIO()
    configure_logging(service="sample", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    configure_logging(service="unconfigured")
    structlog.reset_defaults()
    root.handlers, root.level = before, level


async def test_a_request_goes_on_with_its_callers_trace(call: Call) -> None:
    answer = await call("GET", "/v1/payments/1", headers={"traceparent": GOOD})
    assert answer.json()["traceparent"] == GOOD


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        GOOD + "-extra",
        GOOD.upper(),
        "ff" + GOOD[2:],
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
        "00-" + "a" * 5_000,
    ],
)
async def test_a_malformed_traceparent_is_ignored_and_a_new_trace_begins(call: Call, header: str) -> None:
    answer = await call("GET", "/v1/payments/1", headers={"traceparent": header})
    mine = answer.json()["traceparent"]
    assert answer.status_code == 200
    assert mine != header
    assert parse_traceparent(mine.encode()) is not None


def test_a_traceparent_of_a_later_version_is_read_by_its_known_part() -> None:
    context = parse_traceparent(b"01" + GOOD[2:].encode() + b"-more")
    assert context is not None
    assert f"{context.trace_id:032x}" == GOOD[3:35]


def test_work_in_another_task_goes_on_with_the_trace_it_was_handed() -> None:
    assert current_traceparent() is None
    with within_trace(GOOD):
        assert current_traceparent() == GOOD
        with within_trace("broken"):
            assert current_traceparent() == GOOD
    assert current_traceparent() is None


def test_a_line_is_json_with_trace_and_service_and_without_secrets(lines: Lines) -> None:
    log = structlog.stdlib.get_logger("sample")
    with within_trace(GOOD):
        log.warning(
            "cannot reach postgresql://app:hunter2@db/florin",
            api_key="flk_abcdefgh_" + "k" * 43,
            headers={"Authorization": "Bearer abcdefghijkl"},
            note="Bearer abcdefghijklmnop and flk_abcdefgh_" + "k" * 43,
            error="duplicate key\nDETAIL:  Key (holder)=(Ada Lovelace) already exists.",
        )
    (line,) = lines()
    assert (line["service"], line["level"], line["trace_id"]) == ("sample", "warning", GOOD[3:35])
    text = json.dumps(line)
    for secret in ("hunter2", "k" * 43, "abcdefghijkl", "Lovelace"):
        assert secret not in text
    assert "flk_abcdefgh_[hidden]" in text


async def test_lines_of_a_request_bear_its_id(call: Call, lines: Lines) -> None:
    sent = "0192f0c1-2e4b-7cc3-98c4-dc0c0c07398f"
    await call("POST", "/v1/failures/bug", headers={"x-request-id": sent})
    await call("GET", "/nothing", headers={"x-request-id": "+420777123456"})
    broken, request, other = [line for line in lines() if line.get("logger") != "httpx2"]
    assert (broken["event"], broken["request_id"]) == ("unhandled error in a request", sent)
    assert (request["event"], request["request_id"]) == ("request", sent)
    assert len(other["request_id"]) == 32


def test_the_standard_librarys_records_join_the_same_stream(lines: Lines) -> None:
    try:
        raise ValueError("amqp://florin:hunter2@broker")
    except ValueError:
        logging.getLogger("aio_pika.connection").exception("lost %s", "amqp://u:hunter2@h")
    (line,) = lines()
    assert line["logger"] == "aio_pika.connection"
    assert "hunter2" not in json.dumps(line)
    assert "ValueError" in line["exception"]


async def test_a_request_line_has_the_route_and_no_path_query_or_body(call: Call, lines: Lines) -> None:
    await call("GET", "/v1/payments/4711?limit=42")
    line = next(line for line in lines() if line["event"] == "request")
    assert (line["route"], line["status"], line["client"]) == ("/v1/payments/{number}", 200, "demo")
    assert "4711" not in json.dumps(line)
    assert "42" not in line["route"]


async def test_an_exported_span_names_the_route_and_nothing_of_the_request(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    monkeypatch.setattr(traces, "_provider", provider)
    answer = await call("GET", "/v1/payments/4711?limit=42", headers={"traceparent": GOOD})
    (span,) = exported.get_finished_spans()
    assert (span.name, span.status.is_ok) == ("GET /v1/payments/{number}", True)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == GOOD[36:52]
    assert answer.json()["traceparent"].endswith("-01")
    assert answer.json()["traceparent"] != GOOD
    assert "4711" not in span.to_json()


def test_redaction_reaches_into_nested_values() -> None:
    assert redact({"a": [{"token": "x"}], "b": b"bytes"}) == {"a": [{"token": "[hidden]"}], "b": "<5 bytes>"}
