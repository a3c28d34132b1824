"""Races over HTTP: many clients at once for the same money, accounts, key, or payment."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from testkit.waiting import eventually

from .arena import Arena
from .calls import Reply
from .journal import Answer, Intent, Outcome
from .registry import fault

T = TypeVar("T")

ENDED_S = 60
RETRIES = 100
# Requests in flight at once, of one fault.
WORKERS = 64
# For requests that are not reconciled by their keys: what must come of them is counted here.
RAW = "raw:"


@fault(short=True)
async def five_hundred_debits_on_a_balance_of_a_hundred(arena: Arena) -> None:
    """500 payments of 1 at once from an account with 100: exactly 100 are settled."""
    poor, payee = _named(arena, "POOR"), _named(arena, "PAYEE")
    await arena.payer.open_accounts([poor], balance_minor=100)
    await arena.payer.open_accounts([payee], balance_minor=0)
    intents = [
        Intent(
            *(arena.payer.key("debit"), poor, payee, 1),
            expect=("SETTLED", "REJECTED"),
            reason="insufficient_funds",
        )
        for _ in range(500)
    ]
    await _at_once(arena.payer.pay(intent) for intent in intents)
    ended = await _ended(arena, [intent.key for intent in intents])
    arena.fired(len(intents))
    if ended != {"SETTLED": 100, "REJECTED": 400}:
        arena.wrong(f"500 debits of 1 on a balance of 100 ended as {dict(ended)}")
    if (left := await _balance(arena, poor)) != 0:
        arena.wrong(f"{left} are left of a balance of 100 after 500 debits of 1")


@fault()
async def against_one_another(arena: Arena) -> None:
    """A pays B and B pays A, 64 at once: no deadlock reaches a caller, and all are settled."""
    one, other = _named(arena, "ONE"), _named(arena, "OTHER")
    await arena.payer.open_accounts([one, other], balance_minor=1_000_000)
    deadlocks = await _deadlocks(arena)
    intents = [
        Intent(arena.payer.key("against"), *((one, other) if number % 2 else (other, one)), 7)
        for number in range(1_000)
    ]
    answers = await _at_once(arena.payer.pay(intent) for intent in intents)
    await _all_settled(arena, intents)
    arena.fired(len(intents))
    _none_doubtful(arena, answers, "against one another")
    if met := await _deadlocks(arena) - deadlocks:
        arena.note(f"{met} deadlocks were resolved by the database while payments ran against one another")


@fault(timeout_s=120)
async def five_thousand_on_one_account(arena: Arena) -> None:
    """5,000 payments from and to one account, one request each: all are settled, and its balance says so."""
    hot, *others = (_named(arena, f"HOT-{number}") for number in range(21))
    await arena.payer.open_accounts([hot, *others], balance_minor=10_000)
    pairs = [(hot, other) for other in others] + [(other, hot) for other in others]
    intents = [Intent(arena.payer.key("hot"), *arena.chance.choice(pairs), 1) for _ in range(5_000)]
    answers = await _at_once(arena.payer.pay(intent) for intent in intents)
    await _all_settled(arena, intents)
    arena.fired(len(intents))
    _none_doubtful(arena, answers, "on one account")
    paid = sum(1 if intent.creditor == hot else -1 for intent in intents)
    if (balance := await _balance(arena, hot)) != 10_000 + paid:
        arena.wrong(f"the hot account holds {balance} and should hold {10_000 + paid}")


@fault(short=True)
async def two_hundred_under_one_key(arena: Arena) -> None:
    """200 equal requests at once under one key: one payment, and 200 equal answers."""
    one, other = _named(arena, "ONE"), _named(arena, "OTHER")
    await arena.payer.open_accounts([one, other], balance_minor=1_000)
    key = f"{RAW}{arena.payer.key('same')}"
    replies = await _at_once([_pay(arena, one, other, 5, key=key) for _ in range(200)], workers=200)
    arena.fired(len(replies))
    statuses = Counter(reply.status for reply in replies)
    if statuses != {202: 200}:
        arena.wrong(f"200 equal requests under one key were answered {dict(statuses)}")
    told = {_without_state(reply.body) for reply in replies if reply.status == 202}
    if len(told) != 1:
        arena.wrong(f"200 equal requests under one key were answered in {len(told)} ways: {sorted(told)[:2]}")
    if (ended := await _ended(arena, [key])) != {"SETTLED": 1}:
        arena.wrong(f"200 equal requests under one key came to {dict(ended)}")
    if (left := await _balance(arena, one)) != 995:
        arena.wrong(f"200 equal requests of 5 under one key left {left} of 1,000")


@fault()
async def two_bodies_under_one_key(arena: Arena) -> None:
    """Two different requests at once under each of 100 keys, ten times each: one wins, the other loses."""
    one, other = _named(arena, "ONE"), _named(arena, "OTHER")
    await arena.payer.open_accounts([one, other], balance_minor=100_000)
    keys = [f"{RAW}{arena.payer.key('twofold')}" for _ in range(100)]
    asked = [(key, amount) for key in keys for amount in (5, 6) for _ in range(10)]
    arena.chance.shuffle(asked)
    replies = await _at_once(_pay(arena, one, other, amount, key=key) for key, amount in asked)
    arena.fired(len(keys))
    by_key: dict[str, dict[int, set[int]]] = {key: {5: set(), 6: set()} for key in keys}
    for (key, amount), reply in zip(asked, replies, strict=True):
        by_key[key][amount].add(reply.status)
    spent = 0
    for key, statuses in by_key.items():
        winners = [amount for amount, seen in statuses.items() if seen == {202}]
        losers = [amount for amount, seen in statuses.items() if seen <= {409, 422}]
        if len(winners) != 1 or len(losers) != 1:
            arena.wrong(f"two bodies under the key {key} were answered {statuses}")
        spent += sum(winners)
    if (ended := await _ended(arena, keys)) != {"SETTLED": 100}:
        arena.wrong(f"two bodies under each of 100 keys came to {dict(ended)}")
    if (left := await _balance(arena, one)) != 100_000 - spent:
        arena.wrong(f"{left} are left where {100_000 - spent} should be, after two bodies under one key")


@fault()
async def alone_and_in_batches(arena: Arena) -> None:
    """100 payments, each alone and in four batches of other orders at once, under the same keys: each is made
    once."""
    one, other = _named(arena, "ONE"), _named(arena, "OTHER")
    await arena.payer.open_accounts([one, other], balance_minor=1_000)
    keys = [f"{RAW}{arena.payer.key('either-way')}" for _ in range(100)]
    calls = [_pay(arena, one, other, 3, key=key, reference=key) for key in keys for _ in range(2)]
    calls += [_pay_together(arena, one, other, 3, keys=arena.chance.sample(keys, 100)) for _ in range(4)]
    arena.chance.shuffle(calls)
    replies = await _at_once(calls)
    arena.fired(len(keys))
    ids = {reply.body["id"] for reply in replies if reply.status == 202 and "id" in reply.body}
    ids |= {item["payment_id"] for reply in replies for item in reply.body.get("items", ())}
    if {reply.status for reply in replies} != {202} or len(ids) != len(keys):
        statuses = Counter(reply.status for reply in replies)
        arena.wrong(f"100 payments alone and in batches were answered {dict(statuses)} with {len(ids)} ids")
    if (ended := await _ended(arena, keys)) != {"SETTLED": 100}:
        arena.wrong(f"100 payments alone and in batches came to {dict(ended)}")
    if (left := await _balance(arena, one)) != 700:
        arena.wrong(f"{left} are left of 1,000 after 100 payments of 3 alone and in batches")


@fault(short=True)
async def reversals_of_one_payment(arena: Arena) -> None:
    """100 reversals of 1 to 5 at once of a payment of 100, and some of all that is left: together never more
    than it moved."""
    one, other = _named(arena, "ONE"), _named(arena, "OTHER")
    await arena.payer.open_accounts([one, other], balance_minor=1_000)
    original = await arena.payer.pay(Intent(arena.payer.key("given-back"), one, other, 100), wait_s=20)
    assert original.told == "SETTLED", f"the payment to be given back was not settled: {original}"
    intents = [
        Intent(
            *(arena.payer.key("back"), other, one, arena.chance.randint(1, 5)),
            expect=("SETTLED", "REFUSED"),
            reverses=original.payment_id,
        )
        for _ in range(100)
    ]
    answers = await _at_once(arena.payer.pay(intent) for intent in intents)
    taken = [intent for intent, told in zip(intents, answers, strict=True) if told.outcome is Outcome.OK]
    await _all_settled(arena, taken)
    arena.fired(len(intents))
    back = sum(intent.amount_minor for intent in taken)
    # Whoever asked last was refused because less was left than it wanted: 5 at most.
    if not 95 < back <= 100:
        arena.wrong(f"reversals of a payment of 100 came to {back}")
    if (balance := await _balance(arena, one)) != 900 + back:
        arena.wrong(f"the payer holds {balance} after {back} of 100 were given back, and should {900 + back}")


async def _at_once(calls: Iterable[Awaitable[T]], *, workers: int = WORKERS) -> list[T]:
    """All of them, so many at a time."""
    free = asyncio.Semaphore(workers)

    async def one(call: Awaitable[T]) -> T:
        async with free:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))


async def _pay(
    arena: Arena, debtor: str, creditor: str, amount_minor: int, *, key: str, reference: str | None = None
) -> Reply:
    body = {**_asked(debtor, creditor, amount_minor), "reference": reference}
    return await _answered(lambda: arena.payer.payments.post("/v1/payments", body, key=key))


async def _pay_together(
    arena: Arena, debtor: str, creditor: str, amount_minor: int, *, keys: Sequence[str]
) -> Reply:
    asked = _asked(debtor, creditor, amount_minor)
    body = {"payments": [{**asked, "reference": key, "idempotency_key": key} for key in keys]}
    batch_key = arena.payer.key("batch")
    return await _answered(lambda: arena.payer.payments.post("/v1/payments/batches", body, key=batch_key))


def _asked(debtor: str, creditor: str, amount_minor: int) -> dict[str, Any]:
    return {"debtor": debtor, "creditor": creditor, "amount_minor": amount_minor, "currency": "EUR"}


async def _answered(ask: Callable[[], Awaitable[Reply]]) -> Reply:
    """As every client does with what says nothing, asks again; anything else is an answer."""
    for _ in range(RETRIES):
        reply = await ask()
        if reply.status not in (0, 503):
            return reply
        await asyncio.sleep(0.1)
    raise AssertionError(f"no answer after {RETRIES} times: {reply}")


def _named(arena: Arena, what: str) -> str:
    """An account that nobody else pays from."""
    return f"RACE-{what}-{arena.chance.getrandbits(40):010x}"


def _without_state(body: dict[str, Any]) -> str:
    # A payment goes on while equal requests are answered.
    return str(sorted((name, value) for name, value in body.items() if name not in ("status", "reason")))


def _none_doubtful(arena: Arena, answers: Sequence[Answer], what: str) -> None:
    errors = Counter(answer.error for answer in answers if answer.status >= 500)
    if errors:
        arena.wrong(f"payments {what} were answered with {dict(errors)}")


async def _all_settled(arena: Arena, intents: Sequence[Intent]) -> None:
    ended = await _ended(arena, [intent.key for intent in intents])
    assert ended == {"SETTLED": len(intents)}, f"{len(intents)} payments ended as {dict(ended)}"


async def _ended(arena: Arena, keys: Sequence[str]) -> Counter[str]:
    """How the payments under these keys ended, once all have."""
    async with arena.auditor() as connection:

        async def ends() -> Counter[str] | None:
            rows = await connection.fetch(
                "SELECT s.status, count(*) AS times FROM transaction.payments p "
                "JOIN transaction.payment_states s ON s.payment_id = p.id "
                "WHERE p.idempotency_key = ANY($1) GROUP BY s.status",
                keys,
            )
            found = Counter({row["status"]: row["times"] for row in rows})
            return None if {"PENDING", "APPROVED", "REVIEW"} & found.keys() else found

        ended: Counter[str] | None = await eventually(ends, timeout_s=ENDED_S, every_s=0.1)
    assert ended is not None, "eventually gives what is true"
    return ended


async def _balance(arena: Arena, account: str) -> int:
    reply = await arena.payer.accounts.get(f"/v1/accounts/{account}/balance")
    assert reply.status == 200, f"no balance of {account}: {reply}"
    return int(reply.body["posted_minor"])


async def _deadlocks(arena: Arena) -> int:
    async with arena.superuser() as connection:
        found = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    return int(found)
