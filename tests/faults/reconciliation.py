"""What was meant and told, held against what is: lost, duplicated and wrong payments, each named."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from .journal import Answer, Intent, Outcome

FINAL = frozenset({"SETTLED", "REJECTED", "VOIDED", "EXPIRED"})
# Keys that begin so belong to a fault that judges its payments, and the accounts they touch, by itself.
RAW = "raw:"
REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as the services hold it: its record, its state, and what it did to the books."""

    id: str
    key: str
    debtor: str
    creditor: str
    amount_minor: int
    currency: str
    reverses: str | None
    status: str
    reason: str | None
    postings: int
    legs: int
    from_debtor_minor: int
    to_creditor_minor: int


@dataclass
class Findings:
    """What did not come out as it must, a line for each payment; and how the requests went."""

    payments: int = 0
    operations: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    resolved: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


def reconcile(
    intents: Mapping[str, Intent],
    answers: Iterable[Answer],
    payments: Iterable[Payment],
    *,
    moved: Mapping[str, int],
) -> Findings:
    """Compare. `payments` are all whose keys are these clients'; `moved` what all payments together have
    moved into each account (less than zero: out of it)."""
    findings = Findings(operations=len(intents))
    told: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        told[answer.key].append(answer)
    by_key: dict[str, list[Payment]] = defaultdict(list)
    passed_over: set[str] = set()
    for payment in payments:
        findings.payments += 1
        if payment.key.startswith(RAW):
            passed_over |= {payment.debtor, payment.creditor}
        else:
            by_key[payment.key].append(payment)
    expected: Counter[str] = Counter()
    for key, intent in intents.items():
        _count(findings, told[key])
        _judge(findings, intent, told[key], by_key[key])
        if any(payment.status == "SETTLED" for payment in by_key[key]):
            expected[intent.debtor] -= intent.amount_minor
            expected[intent.creditor] += intent.amount_minor
    findings.wrong += [
        f"{key}: payment {found[0].id} stands, and nobody asked for it"
        for key, found in by_key.items()
        if found and key not in intents
    ]
    findings.wrong += [
        f"account {account}: payments moved {moved.get(account, 0)}, should have moved {expected[account]}"
        for account in sorted({*expected, *moved} - passed_over)
        if moved.get(account, 0) != expected[account]
    ]
    return findings


def _count(findings: Findings, answers: Sequence[Answer]) -> None:
    definite = [answer for answer in answers if answer.outcome is not Outcome.UNKNOWN]
    doubtful = len(definite) < max(len(answers), 1)
    findings.unknown += doubtful
    findings.resolved += doubtful and bool(definite)
    if definite:
        findings.ok += definite[-1].outcome is Outcome.OK
        findings.failed += definite[-1].outcome is Outcome.FAILED


def _judge(findings: Findings, intent: Intent, answers: Sequence[Answer], found: Sequence[Payment]) -> None:
    key = intent.key
    accepted = [answer for answer in answers if answer.outcome is Outcome.OK]
    refused = [answer for answer in answers if answer.outcome is Outcome.FAILED]
    ids = {answer.payment_id for answer in accepted}
    if len(found) > 1 or len(ids) > 1:
        findings.duplicated.append(f"{key}: payments {sorted({*ids, *(one.id for one in found)}, key=str)}")
    if not accepted and not refused:
        findings.unresolved.append(f"{key}: never a definite answer")
    if accepted and refused:
        findings.wrong.append(f"{key}: told that it was accepted and that it was refused")
    elif refused and found:
        findings.wrong.append(f"{key}: told that it was refused, and payment {found[0].id} stands")
    elif refused and REFUSED not in intent.expect:
        findings.wrong.append(f"{key}: refused with {refused[0].error}, expected {list(intent.expect)}")
    if accepted and not found:
        findings.lost.append(f"{key}: accepted as {accepted[0].payment_id}, and gone")
    for payment in found:
        _judge_payment(findings, intent, accepted, payment)


def _judge_payment(findings: Findings, intent: Intent, accepted: Sequence[Answer], payment: Payment) -> None:
    key = f"{intent.key}: payment {payment.id}"
    if payment.status not in FINAL:
        findings.lost.append(f"{key} is still {payment.status}")
    elif payment.status not in intent.expect:
        findings.wrong.append(f"{key} is {payment.status} ({payment.reason}), expected {list(intent.expect)}")
    elif payment.status == "REJECTED" and intent.reason not in (None, payment.reason):
        findings.wrong.append(f"{key} is rejected for {payment.reason}, expected {intent.reason}")
    meant = (intent.debtor, intent.creditor, intent.amount_minor, intent.currency, intent.reverses)
    stands = (payment.debtor, payment.creditor, payment.amount_minor, payment.currency, payment.reverses)
    if meant != stands:
        findings.wrong.append(f"{key} is {stands}, meant was {meant}")
    for answer in accepted:
        if answer.payment_id != payment.id:
            findings.wrong.append(f"{key}: told of as {answer.payment_id}")
        if answer.told not in (None, payment.status):
            findings.wrong.append(f"{key} is {payment.status}, told was {answer.told}")
    _judge_effect(findings, key, payment)


def _judge_effect(findings: Findings, key: str, payment: Payment) -> None:
    if payment.postings > 1:
        findings.duplicated.append(f"{key} was posted {payment.postings} times")
        return
    effect = (payment.postings, payment.legs, payment.from_debtor_minor, payment.to_creditor_minor)
    amount = payment.amount_minor
    right = (1, 2, -amount, amount) if payment.status == "SETTLED" else (0, 0, 0, 0)
    if effect != right and payment.status in FINAL:
        findings.wrong.append(f"{key} is {payment.status} over {amount}, and the books say {effect}")


_PAYMENTS = """
    SELECT p.id::text AS id, p.idempotency_key AS key, p.debtor, p.creditor, p.amount_minor, p.currency,
           p.reverses::text AS reverses, coalesce(s.status, 'nothing') AS status, s.reason,
           coalesce(e.postings, 0) AS postings, coalesce(e.legs, 0) AS legs,
           coalesce(e.from_debtor, 0)::bigint AS from_debtor_minor,
           coalesce(e.to_creditor, 0)::bigint AS to_creditor_minor
    FROM transaction.payments p
    LEFT JOIN transaction.payment_states s ON s.payment_id = p.id
    LEFT JOIN (
        SELECT q.payment_id, count(DISTINCT q.id) AS postings, count(*) AS legs,
               sum(n.amount_minor) FILTER (WHERE a.reference = o.debtor) AS from_debtor,
               sum(n.amount_minor) FILTER (WHERE a.reference = o.creditor) AS to_creditor
        FROM account.postings q
        JOIN account.entries n ON n.posting_id = q.id
        JOIN account.accounts a ON a.id = n.account_id
        JOIN transaction.payments o ON o.id = q.payment_id
        GROUP BY q.payment_id
    ) e ON e.payment_id = p.id
"""
_MOVED = """
    SELECT a.reference, sum(n.amount_minor)::bigint AS moved
    FROM account.entries n
    JOIN account.postings q ON q.id = n.posting_id AND q.kind IN ('transfer', 'reversal')
    JOIN account.accounts a ON a.id = n.account_id
    GROUP BY a.reference
"""


async def load_payments(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> tuple[list[Payment], dict[str, int]]:
    """All payments, and what they moved into each account, for `reconcile`."""
    payments = [Payment(**row) for row in await connection.fetch(_PAYMENTS)]
    moved = {row["reference"]: row["moved"] for row in await connection.fetch(_MOVED)}
    return payments, moved
