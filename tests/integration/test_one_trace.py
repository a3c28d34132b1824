"""One trace from the POST through all four services to the webhook, as it was exported."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import running_services
from testkit.waiting import eventually

from .conftest import Bank
from .receiving import receiving
from .traces_seen import SeenSpan, collecting_traces, spans_in, tree_of

SETTLED = """\
POST /v1/payments · florin-transaction
  commit payments · florin-transaction
    transaction florin-transaction · florin-transaction
  process florin.payment.initiated.v1 · florin-fraud
    process florin.fraud.assessed.v1 · florin-transaction
      process florin.posting.requested.v1 · florin-account
        process florin.posting.completed.v1 · florin-transaction
          process florin.payment.settled.v1 · florin-notification
            POST webhook · florin-notification
            transaction florin-notification · florin-notification
          send florin.payment.settled.v1 · florin-transaction
          transaction florin-transaction · florin-transaction
        send florin.posting.completed.v1 · florin-account
        transaction florin-account · florin-account
      send florin.posting.requested.v1 · florin-transaction
      transaction florin-transaction · florin-transaction
    send florin.fraud.assessed.v1 · florin-fraud
    transaction florin-fraud · florin-fraud
  send florin.payment.initiated.v1 · florin-transaction
"""


@dataclass
class Traced:
    """Running services whose traces are seen. None begins by itself: only a caller's decision records one."""

    bank: Bank
    bodies: list[bytes]

    def spans(self) -> list[SeenSpan]:
        return spans_in(self.bodies)

    async def pay(self, payer: str, payee: str, *, flags: str = "01") -> str:
        """Pay and wait for the end; returns the trace's id."""
        trace_id = uuid4().hex
        made = await self.bank.transaction.post(
            "/v1/payments",
            json={"debtor": payer, "creditor": payee, "amount_minor": 1, "currency": "EUR"},
            headers={
                "Idempotency-Key": uuid4().hex,
                "Prefer": "wait=30",
                "traceparent": f"00-{trace_id}-00f067aa0ba902b7-{flags}",
            },
        )
        assert made.json()["status"] == "SETTLED", made.text
        return trace_id


@pytest.fixture(scope="module")
async def traced(backing: Backing, databases: Databases) -> AsyncIterator[Traced]:
    with ExitStack() as closing:
        url, bodies = closing.enter_context(collecting_traces())
        settings = {"FLORIN_OTLP_ENDPOINT": url, "FLORIN_TRACE_SHARE": "0", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        running = closing.enter_context(running_services(backing, databases, settings=settings))
        bank = Bank(
            transaction=running.client("transaction"),
            account=running.client("account"),
            fraud=running.client("fraud"),
            notification=running.client("notification"),
            office=running.client("account", client="demo-office"),
        )
        yield Traced(bank, bodies)
        await running.close_clients()


async def test_a_payments_spans_form_one_tree_from_the_post_to_the_webhook(traced: Traced) -> None:
    """Under the trace id that the caller sent; the receiver is told it too, with the span that sent it."""
    bank = traced.bank
    payer, payee = await bank.open(balance_minor=100), await bank.open()
    async with receiving() as receiver:
        registered = await bank.notification.post(
            "/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["payment.settled"]}
        )
        trace_id = await traced.pay(payer, payee)
        headers, _ = (await eventually(lambda: receiver.requests, timeout_s=20))[0]
        # The tests that follow have no receiver.
        await bank.notification.delete(f"/v1/webhook-endpoints/{registered.json()['id']}")
    size = len(SETTLED.splitlines())
    await eventually(lambda: len(tree_of(traced.spans(), trace_id)) >= size, timeout_s=20)
    tree = tree_of(traced.spans(), trace_id)
    print("\n" + "\n".join(tree))
    assert "\n".join(tree) + "\n" == SETTLED
    (webhook,) = [span for span in traced.spans() if span.name == "POST webhook"]
    assert headers["traceparent"] == f"00-{trace_id}-{webhook.span_id}-01"
    assert (webhook.kind, webhook.attributes["http.response.status_code"]) == ("CLIENT", "204")
    (first,) = [span for span in traced.spans() if span.name == "POST /v1/payments"]
    assert first.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/payments",
        "http.response.status_code": "200",
    }


async def test_what_is_done_for_many_at_once_is_linked_to_each(traced: Traced) -> None:
    """A commit or a frame of several payments stands in the trace of one and names the others'."""
    bank = traced.bank
    payer, payee = await bank.open(balance_minor=1000), await bank.open()
    traces = set(await asyncio.gather(*(traced.pay(payer, payee) for _ in range(40))))
    last = "process florin.payment.settled.v1"
    await eventually(
        lambda: traces <= {span.trace_id for span in traced.spans() if span.name == last}, timeout_s=30
    )
    for name in ("commit payments", "send florin.payment.initiated.v1"):
        batches = [span for span in traced.spans() if span.name == name and span.trace_id in traces]
        assert traces == {trace for span in batches for trace in (span.trace_id, *span.links)}
        assert len(batches) < len(traces), "no batch: this test proves nothing"
    assert len([span for span in traced.spans() if span.name == last]) >= len(traces)


async def test_a_trace_that_is_not_to_be_recorded_is_exported_by_nobody(traced: Traced) -> None:
    """Neither one whose caller decided so nor, of none, one that began here; both are known by their id."""
    bank = traced.bank
    payer, payee = await bank.open(balance_minor=100), await bank.open()
    unrecorded = await traced.pay(payer, payee, flags="00")
    marker = await traced.pay(payer, payee)
    await eventually(lambda: len(tree_of(traced.spans(), marker)) >= 15, timeout_s=20)
    assert tree_of(traced.spans(), unrecorded) == []
    assert {span.name for span in traced.spans()} & {"POST /v1/accounts"} == set()
