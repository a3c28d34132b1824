"""A careful client: writes down what it means to do, asks, and asks with the same key until it knows."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .calls import Caller, Reply
from .journal import Answer, Intent, Journal, Outcome, now

RETRY_S = (0.1, 1.0)
DEFINITE_S = 120.0
FINAL = ("SETTLED", "REJECTED", "VOIDED", "EXPIRED")
CANARY = ("CANARY-A", "CANARY-B")
# The service could not say, or was too busy to do anything.
_UNKNOWN = frozenset({0, 408, 425, 429, 500, 502, 503, 504})


class Payer:
    """Asks for payments on behalf of one client; each intent and each answer goes to the journal."""

    def __init__(
        self,
        payments: Caller,
        accounts: Caller,
        journal: Journal,
        *,
        name: str,
        chance: random.Random | None = None,
        definite_s: float = DEFINITE_S,
    ) -> None:
        """`name` is in every key, so that one payer's payments are known by it."""
        self.payments = payments
        self.accounts = accounts
        self.journal = journal
        self.name = name
        self._chance = chance or random.Random()
        self._definite_s = definite_s

    def close(self) -> None:
        """Drops its connections."""
        self.payments.close()
        self.accounts.close()

    def key(self, what: str = "payment") -> str:
        """A new idempotency key."""
        return f"{self.name}:{what}:{self._chance.getrandbits(96):024x}"

    async def open_accounts(
        self, accounts: Sequence[str], *, balance_minor: int, currency: str = "EUR"
    ) -> None:
        """Open accounts with a balance, or find them open on these terms."""
        for begin in range(0, len(accounts), 500):
            items = [
                {
                    "account": account,
                    "holder": "Somebody",
                    "currency": currency,
                    "opening_balance_minor": balance_minor,
                }
                for account in accounts[begin : begin + 500]
            ]
            reply = await self.accounts.post(
                "/v1/accounts/batches", {"accounts": items}, key=self.key("open")
            )
            assert reply.status in (200, 201), f"accounts cannot be opened: {reply}"
            assert reply.body["refused"] == 0, f"accounts were refused: {reply.body}"

    async def pay(self, intent: Intent, *, wait_s: int = 0) -> Answer:
        """Make one payment, or give one back where `intent.reverses` names it; returns the last answer, which
        is definite unless the deadline has passed."""
        self.journal.intend(intent)
        path, body = _request(intent)
        return await self._until_definite(
            lambda: self.payments.post(path, body, key=intent.key, wait_s=wait_s),
            lambda reply, sent_at, attempt: [_single(intent, reply, sent_at, attempt, waited=wait_s > 0)],
            [intent],
        )

    async def pay_together(self, intents: Sequence[Intent]) -> Answer:
        """Make payments in one request (none of them reversals); returns the last answer to the last one."""
        self.journal.intend(*intents)
        batch_key = self.key("batch")
        body = {"payments": [_item(intent) for intent in intents]}
        return await self._until_definite(
            lambda: self.payments.post("/v1/payments/batches", body, key=batch_key),
            lambda reply, sent_at, attempt: _each(intents, reply, sent_at, attempt),
            intents,
        )

    async def canary(self, *, timeout_s: float) -> float:
        """Pay until one payment is settled; returns how long that took. TimeoutError when none is in time."""
        began = now()
        async with asyncio.timeout(timeout_s):
            while True:
                intent = Intent(self.key("canary"), *CANARY, amount_minor=1)
                answer = await self.pay(intent, wait_s=5)
                if answer.told == "SETTLED":
                    return now() - began

    async def _until_definite(
        self,
        ask: Callable[[], Any],
        read: Callable[[Reply, float, int], list[Answer]],
        intents: Sequence[Intent],
    ) -> Answer:
        deadline = now() + self._definite_s
        attempt = 0
        while True:
            attempt += 1
            sent_at = now()
            answers = read(await ask(), sent_at, attempt)
            assert len(answers) == len(intents), "an answer for each"
            self.journal.answered(*answers)
            if answers[-1].outcome is not Outcome.UNKNOWN or now() > deadline:
                return answers[-1]
            shortest, longest = RETRY_S
            pause_s = min(longest, shortest * 2 ** min(attempt - 1, 8))
            # Not drawn from the seed, or the keys would depend on how often something was asked.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))


def outcome_of(reply: Reply) -> Outcome:
    """What an answer means to a careful client."""
    if reply.status in (200, 201, 202):
        return Outcome.OK
    if reply.status in _UNKNOWN or _code(reply) == "request_in_progress":
        return Outcome.UNKNOWN
    return Outcome.FAILED


def _request(intent: Intent) -> tuple[str, dict[str, Any]]:
    if intent.reverses is not None:
        return f"/v1/payments/{intent.reverses}/reversals", {"amount_minor": intent.amount_minor}
    body = {
        "debtor": intent.debtor,
        "creditor": intent.creditor,
        "amount_minor": intent.amount_minor,
        "currency": intent.currency,
    }
    return "/v1/payments", body


def _item(intent: Intent) -> dict[str, Any]:
    _, body = _request(intent)
    return {**body, "reference": intent.key, "idempotency_key": intent.key}


def _single(intent: Intent, reply: Reply, sent_at: float, attempt: int, *, waited: bool) -> Answer:
    answer = Answer(
        key=intent.key,
        outcome=outcome_of(reply),
        status=reply.status,
        sent_at=sent_at,
        at=now(),
        attempt=attempt,
        error=reply.error or _code(reply),
        waited=waited,
        replayed=reply.replayed,
    )
    if answer.outcome is not Outcome.OK:
        return answer
    status = reply.body["status"]
    # Only a final state binds: PENDING may have become something else by the time it is read.
    return replace(answer, payment_id=reply.body["id"], told=status if status in FINAL else None)


def _each(intents: Sequence[Intent], reply: Reply, sent_at: float, attempt: int) -> list[Answer]:
    outcome = outcome_of(reply)
    at = now()
    items = reply.body["items"] if outcome is Outcome.OK else [None] * len(intents)
    answers = []
    for intent, item in zip(intents, items, strict=True):
        refused = item is not None and item["outcome"] == "refused"
        answers.append(
            Answer(
                key=intent.key,
                outcome=Outcome.FAILED if refused else outcome,
                status=reply.status,
                sent_at=sent_at,
                at=at,
                attempt=attempt,
                error=reply.error or (item["problem"]["code"] if refused else _code(reply)),
                payment_id=item["payment_id"] if item is not None and not refused else None,
                single=False,
            )
        )
    return answers


def _code(reply: Reply) -> str | None:
    return reply.body.get("code") if isinstance(reply.body, dict) else None
