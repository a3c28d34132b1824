"""Customers pay one another by what they are called, and nothing of that is kept in the open."""

from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .conftest import Bank
from .receiving import Receiver, receiving


async def register(bank: Bank, *, mobile: str, currency: str = "EUR", **facts: str) -> dict[str, Any]:
    """A new customer, once payments know of them."""
    mark = uuid4().hex[:12]
    body = {"name": "Jana Nová", "email": f"{mark}@example.com", "mobile": mobile, "currency": currency}
    answer = await bank.account.post(
        "/v1/customers", json=body | facts, headers={"Idempotency-Key": uuid4().hex}
    )
    assert answer.status_code == 201, answer.text
    customer: dict[str, Any] = answer.json()
    await eventually(partial(_is_known, bank, {"customer_id": customer["id"]}, currency))
    return customer


async def _is_known(bank: Bank, party: dict[str, str], currency: str) -> bool:
    """Whether payments can name the customer: asked by one that can never be paid."""
    answer = await _ask_to_pay(bank, party, party, amount_minor=1, currency=currency)
    return bool(answer.json()["code"] != "party_not_found")


async def _ask_to_pay(bank: Bank, debtor: Any, creditor: Any, **facts: Any) -> Any:
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=30"}
    body = {"debtor": debtor, "creditor": creditor, "amount_minor": 1, "currency": "EUR"} | facts
    return await bank.transaction.post("/v1/payments", json=body, headers=headers)


async def deposit(bank: Bank, account: str, amount_minor: int, currency: str = "EUR") -> None:
    """Pay into an account."""
    body = {"amount_minor": amount_minor, "currency": currency}
    answer = await bank.account.post(
        f"/v1/accounts/{account}/deposits", json=body, headers={"Idempotency-Key": uuid4().hex}
    )
    assert answer.status_code == 201, answer.text


async def wallet(bank: Bank, customer: dict[str, Any]) -> str:
    """The reference of the customer's first account."""
    [account] = (await bank.account.get(f"/v1/customers/{customer['id']}/accounts")).json()["items"]
    return str(account["account"])


async def test_one_customer_pays_another_by_mobile_number_in_national_spelling(bank: Bank) -> None:
    """Registered in one spelling and paid in another: the money is on the payee's own account."""
    payer = await register(bank, mobile="+420 601 111 222")
    payee = await register(bank, mobile="00420-602-333-444")
    await deposit(bank, await wallet(bank, payer), 1_000)
    made = await _ask_to_pay(bank, {"customer_id": payer["id"]}, {"mobile": "602 333 444"}, amount_minor=300)
    assert made.json()["status"] == "SETTLED", made.text
    by_mail = await _ask_to_pay(bank, {"mobile": "601111222"}, {"email": payee["email"].upper()})
    assert by_mail.json()["status"] == "SETTLED", by_mail.text
    assert await bank.balance(await wallet(bank, payer)) == 699
    assert await bank.balance(await wallet(bank, payee)) == 301
    assert made.json()["creditor"] == await wallet(bank, payee)


async def test_whoever_is_not_registered_cannot_be_told_from_another_clients_customer(
    bank: Bank, running: RunningServices
) -> None:
    """Unknown and foreign are answered alike, to the word."""
    payer = await bank.open(balance_minor=100)
    operator = running.client("account", client="operator")
    body = {"name": "Eve", "email": "eve@example.com", "mobile": "+420603777888", "currency": "EUR"}
    foreign = await operator.post("/v1/customers", json=body, headers={"Idempotency-Key": uuid4().hex})
    assert foreign.status_code == 201, foreign.text
    refusals = [
        await _ask_to_pay(bank, payer, party)
        for party in (
            {"mobile": "603 777 888"},
            {"mobile": "603 777 889"},
            {"email": "eve@example.com"},
            {"customer_id": foreign.json()["id"]},
            {"customer_id": str(uuid4())},
        )
    ]
    told = [answer.json() | {"trace_id": None} for answer in refusals]
    assert {answer.status_code for answer in refusals} == {422}
    assert told == [told[0]] * len(told)
    assert (told[0]["code"], told[0]["errors"][0]["field"]) == ("party_not_found", "creditor")


async def test_a_new_number_is_paid_and_the_old_one_is_not(bank: Bank) -> None:
    """As soon as payments know of the change."""
    payer = await bank.open(balance_minor=100)
    payee = await register(bank, mobile="+420604000111")
    changed = await bank.account.patch(f"/v1/customers/{payee['id']}", json={"mobile": "604 000 222"})
    assert changed.status_code == 200, changed.text
    await eventually(partial(_is_known, bank, {"mobile": "604000222"}, "EUR"))
    assert (await _ask_to_pay(bank, payer, {"mobile": "604000222"})).json()["status"] == "SETTLED"
    assert (await _ask_to_pay(bank, payer, {"mobile": "604000111"})).json()["code"] == "party_not_found"


@pytest.mark.parametrize(("currency", "number"), [("JPY", "605000111"), ("KWD", "605000222")])
async def test_a_customer_has_accounts_in_currencies_of_every_exponent(
    bank: Bank, currency: str, number: str
) -> None:
    """One wallet opens with the customer, more on request; each is paid in its own currency."""
    payee = await register(bank, mobile=f"+420{number}")
    payer = await bank.open(balance_minor=1_001, currency=currency)
    opened = await bank.account.post(f"/v1/customers/{payee['id']}/accounts", json={"currency": currency})
    assert opened.status_code == 201, opened.text
    await eventually(partial(_is_known, bank, {"mobile": number}, currency))
    made = await _ask_to_pay(bank, payer, {"mobile": number}, amount_minor=1_001, currency=currency)
    assert made.json()["status"] == "SETTLED", made.text
    assert await bank.balance(opened.json()["account"]) == 1_001
    assert await bank.balance(payer) == 0


async def test_what_a_person_is_called_stands_in_no_table_no_log_and_no_message(
    bank: Bank, running: RunningServices
) -> None:
    """Planted values are looked for in every column of every service, in every log, and in the webhooks."""
    mark = uuid4().hex[:10]
    name, email, number = f"Žofie {mark}", f"zofie.{mark}@example.com", "606123987"
    reason = f"seen the passport of {mark}"
    async with receiving() as receiver:
        endpoint = await bank.notification.post(
            "/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["payment.settled"]}
        )
        payer = await bank.open(balance_minor=100, holder=name)
        payee = await register(bank, name=name, email=email, mobile=number)
        parties = ({"mobile": "606 123 987"}, {"email": email})
        made = [await _ask_to_pay(bank, payer, party) for party in parties]
        assert [one.json()["status"] for one in made] == ["SETTLED"] * 2
        paid = {one.json()["id"] for one in made}
        assert (await _ask_to_pay(bank, payer, {"email": f"x{email}"})).status_code == 422
        found = await bank.account.get("/v1/customers", params={"mobile": number})
        assert found.json()["items"][0]["name"] == name
        path = f"/v1/customers/{payee['id']}/kyc"
        assert (await bank.account.post(path, json={"level": "basic"})).status_code == 200
        decision = {"decision": "approve", "level": "basic", "reason": reason}
        assert (await bank.office.post(f"{path}/decision", json=decision)).status_code == 200
        await eventually(lambda: paid <= _told_of(receiver), timeout_s=20)
        await bank.notification.delete(f"/v1/webhook-endpoints/{endpoint.json()['id']}")
    planted = [name, email, number, f"+420{number}", mark]
    everything = "".join(str(body) for _, body in receiver.requests)
    logs = [path.read_text() for path in (running.surroundings.run_dir / "logs").glob("*.log")]
    everything += "".join(logs) + await _all_tables(running)
    assert payee["id"] in everything, "nothing was read: this test proves nothing"
    assert [value for value in planted if value.lower() in everything.lower()] == []


def _told_of(receiver: Receiver) -> set[str]:
    """The payments that webhooks have told of."""
    return {one["data"]["payment_id"] for one in receiver.told()}


async def _all_tables(running: RunningServices) -> str:
    """Every row of every service as text, bytes as Latin-1 so that what is not encrypted shows."""
    connection = await asyncpg.connect(running.database("account").admin_url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname IN ('transaction', 'account', 'fraud', 'notification')"
        )
        assert len(tables) > 30
        text = []
        for table in tables:
            for row in await connection.fetch(f"SELECT * FROM {table['name']}"):
                text += [
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for value in row.values()
                ]
        return "\n".join(text)
    finally:
        await connection.close()
