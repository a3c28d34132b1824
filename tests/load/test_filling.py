"""What is filled in by SQL is what the services would have left: verify finds nothing wrong with it."""

from uuid import uuid4

from florin.verification.report import verify
from testkit.stacks import RunningServices

from .filling import fill

ACCOUNTS = 999
PAYMENTS = 2_500


async def test_filled_payments_verify_and_can_be_added_to(own_running: RunningServices) -> None:
    """Twice, so that the second filling goes on from the first; and a real payment goes on from both."""
    accounts = own_running.client("account")
    terms = {"holder": "Load", "currency": "EUR", "opening_balance_minor": 1_000_000}
    made = await accounts.post(
        "/v1/accounts/batches",
        json={"accounts": [terms | {"account": f"BENCH-{n:04}"} for n in range(1, ACCOUNTS + 1)]},
        headers={"Idempotency-Key": uuid4().hex},
    )
    assert made.is_success, made.text
    url = own_running.database("transaction").admin_url
    await fill(url, first=1, last=PAYMENTS)
    await fill(url, first=PAYMENTS + 1, last=PAYMENTS + 100)
    paid = await own_running.client("transaction").post(
        "/v1/payments",
        json={"debtor": "BENCH-0001", "creditor": "BENCH-0002", "amount_minor": 1, "currency": "EUR"},
        headers={"Idempotency-Key": uuid4().hex, "Prefer": "wait=30"},
    )
    assert paid.json()["status"] == "SETTLED", paid.text
    report = await verify(own_running.surroundings)
    failed = {
        result.check.name: result.finding.offender for result in report.results if result.finding.ok is False
    }
    assert failed == {}
