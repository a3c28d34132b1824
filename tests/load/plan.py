"""What the load is to do, and the requests it sends, as bytes of known length."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from florin.ports import HOST

ACCOUNTS = 1_000
PREFIX = "BENCH-"
HOT = 0
CURRENCY = "EUR"
# Pairs of parties are drawn before the load begins and used in turn: drawing costs more than sending.
PAIRS = 8_192


@dataclass(frozen=True)
class Plan:
    """One run of the load.

    `mode`: `closed` (each connection sends its next request when the last is answered) or `open` (by the
    clock). It ends after `seconds`, or after `requests` if that is not 0. `batch`: payments a request, 0 for
    single POSTs. `shape`: who pays whom: `uniform`, `hot_payer`, `hot_payee`. `wait_s`: ask for the answer
    when the payment is final.
    """

    port: int
    bearer: str
    name: str
    mode: str = "closed"
    seconds: float = 8.0
    requests: int = 0
    connections: int = 128
    batch: int = 0
    shape: str = "uniform"
    wait_s: int = 0
    rate: float = 0.0
    seed: int = 1

    @property
    def payments_a_request(self) -> int:
        """How many payments each request asks for."""
        return self.batch or 1


def account(number: int) -> str:
    """An account's reference: all are of one length."""
    return f"{PREFIX}{number:04}"


def key(plan: Plan, number: int) -> str:
    """The idempotency key of the request with this number, counted from 0."""
    return f"{plan.name}-{number:08x}"


def pairs(plan: Plan) -> list[tuple[bytes, bytes]]:
    """Debtors and creditors to be used in turn."""
    chance = random.Random(plan.seed)
    drawn = []
    for _ in range(PAIRS):
        debtor, creditor = chance.sample(range(1, ACCOUNTS), 2)
        if plan.shape == "hot_payer":
            debtor = HOT
        elif plan.shape == "hot_payee":
            creditor = HOT
        drawn.append((account(debtor).encode(), account(creditor).encode()))
    return drawn


def requests(plan: Plan) -> Iterator[bytes]:
    """Each request, whole, one after the other, without end."""
    return _batches(plan) if plan.batch else _singles(plan)


_BODY = b'{"debtor":"%b","creditor":"%b","amount_minor":1,"currency":"' + CURRENCY.encode()
_BODY += b'","reference":"%b-%08x"}'


def _singles(plan: Plan) -> Iterator[bytes]:
    parties, name = pairs(plan), plan.name.encode()
    length = len(_BODY % (*parties[0], name, 0))
    template = _head(plan, "/v1/payments", length) + _BODY
    number = 0
    while True:
        for debtor, creditor in parties:
            yield template % (name, number, debtor, creditor, name, number)
            number += 1


def _batches(plan: Plan) -> Iterator[bytes]:
    parties, name = pairs(plan), plan.name.encode()
    item = len(_BODY % (*parties[0], name, 0))
    # Items and the commas between them, inside {"payments":[…]}.
    length = plan.batch * (item + 1) - 1 + len(b'{"payments":[]}')
    head = _head(plan, "/v1/payments/batches", length)
    number, drawn = 0, 0
    while True:
        first = number * plan.batch
        items = []
        for place in range(plan.batch):
            debtor, creditor = parties[drawn]
            drawn = (drawn + 1) % PAIRS
            items.append(_BODY % (debtor, creditor, name, first + place))
        yield head % (name, number) + b'{"payments":[' + b",".join(items) + b"]}"
        number += 1


def _head(plan: Plan, path: str, length: int) -> bytes:
    prefer = f"Prefer: wait={plan.wait_s}\r\n" if plan.wait_s else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {plan.bearer}\r\n{prefer}"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\nIdempotency-Key: "
    ).encode() + b"%b-%08x\r\n\r\n"
