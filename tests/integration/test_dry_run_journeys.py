"""A payment is asked about through all services, and nothing anywhere is changed by it."""

from typing import Any

import asyncpg
import pytest
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .conftest import Bank


async def ask(bank: Bank, **body: Any) -> dict[str, Any]:
    """What would become of a payment."""
    answer = await bank.transaction.post(
        "/v1/payments", params={"dry_run": "true"}, json={"currency": "EUR"} | body
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(("amount_minor", "decision"), [(100, "approve"), (1_000_000, "review")])
async def test_the_real_screening_answers_as_it_then_decides(
    bank: Bank, amount_minor: int, decision: str
) -> None:
    """With the transaction service's own key, and by the same rules."""
    payer, payee = await bank.open(balance_minor=90_000_000), await bank.open()
    facts = {"debtor": payer, "creditor": payee, "amount_minor": amount_minor}
    forecast = (await ask(bank, **facts))["screening"]
    assert forecast["decision"] == decision
    made = (
        await bank.transaction.post(
            "/v1/payments", json=facts | {"currency": "EUR"}, headers={"Idempotency-Key": f"after-{payer}"}
        )
    ).json()
    decided = await eventually(lambda: _decision(bank, made["id"]), timeout_s=20)
    names = ("decision", "score", "reasons", "rules_version")
    assert {name: decided[name] for name in names} == {name: forecast[name] for name in names}


async def _decision(bank: Bank, payment_id: str) -> dict[str, Any] | None:
    answer = await bank.fraud.get(f"/v1/decisions/{payment_id}")
    return dict(answer.json()) if answer.is_success else None


async def test_asking_changes_no_row_of_any_service(bank: Bank, running: RunningServices) -> None:
    """Asked about payments that would pass, be held for review, and be refused."""
    payer, payee = await bank.open(balance_minor=2_000_000), await bank.open()
    assert (await bank.pay(payer, payee, 1))["status"] == "SETTLED"
    before = await _rows(running)
    for amount_minor in (1, 1_500_000, 200_000_000):
        await ask(bank, debtor=payer, creditor=payee, amount_minor=amount_minor)
    await ask(bank, debtor=payer, creditor="NOBODY", amount_minor=1)
    await ask(bank, debtor=payer, creditor=payee, amount_minor=5, capture="manual")
    assert await _rows(running) == before


async def _rows(running: RunningServices) -> dict[str, list[str]]:
    """Every row that says what has happened, with the transaction that wrote it."""
    connection = await asyncpg.connect(running.database("account").admin_url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname IN ('transaction', 'account', 'fraud', 'notification') "
            # Where the relay marks and prunes, and the log is sealed: what was done before is put away there.
            "AND tablename NOT LIKE 'outbox%' AND tablename NOT IN ('inbox', 'audit_unsealed', 'audit_seals')"
        )
        return {
            table["name"]: [
                row["whole"]
                for row in await connection.fetch(
                    f"SELECT t.xmin || t::text AS whole FROM {table['name']} t ORDER BY 1"
                )
            ]
            for table in tables
        }
    finally:
        await connection.close()
