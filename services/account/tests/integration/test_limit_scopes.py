"""Limits of accounts, levels and clients, set, lifted and set again."""

from account_service.domain.rules import Declined
from sqlalchemy import text

from .bank import Bank, hold, transfer, void
from .limited import LATER, assert_counted_as_the_ledger_says, limit, limit_all, used, words
from .people import register


async def test_limits_count_what_left_before_they_were_set(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    held = hold(payer, payee, 30, expires_at=LATER)
    given_up = hold(payer, payee, 30, expires_at=LATER)
    await bank.post(transfer(payer, payee, 20), held, given_up, void(given_up))
    await limit(bank, payer, daily_sum_minor=100, daily_count=9)
    assert await used(bank, payer) == {"daily_count": 2, "daily_sum": 50}
    assert await words(bank, transfer(payer, payee, 51), transfer(payer, payee, 50)) == [
        "daily_sum",
        "completed",
    ]


async def test_what_left_while_a_limit_was_lifted_counts_when_it_is_set_again(
    bank: Bank, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100)
    await bank.post(transfer(payer, payee, 10))
    await limit(bank, payer)
    await bank.post(transfer(payer, payee, 500))
    await limit(bank, payer, daily_sum_minor=600)
    assert await words(bank, transfer(payer, payee, 91), transfer(payer, payee, 90)) == [
        "daily_sum",
        "completed",
    ]
    await assert_counted_as_the_ledger_says(bank, payer)


async def test_a_lowered_limit_lets_nothing_more_out(bank: Bank, pair: tuple[str, str]) -> None:
    payer, payee = pair
    await limit(bank, payer, daily_sum_minor=100)
    await bank.post(transfer(payer, payee, 90))
    await limit(bank, payer, daily_sum_minor=50)
    answer = await bank.send("GET", f"/v1/accounts/{payer}/limits", key=None)
    [effective] = answer.json()["effective"]
    assert (effective["used"], effective["left"]) == (90, 0)
    assert await words(bank, transfer(payer, payee, 1)) == ["daily_sum"]


async def test_the_strictest_of_client_level_and_account_holds(bank: Bank) -> None:
    payer, payee = await bank.open(balance=0, currency="HUF"), await bank.open(currency="HUF")
    await bank.send("POST", f"/v1/accounts/{payer}/deposits", {"amount_minor": 999, "currency": "HUF"})
    pay = {"currency": "HUF"}
    await limit_all(bank, "HUF", payment_max_minor=50)
    await limit_all(bank, "HUF", level="basic", daily_sum_minor=70)
    await limit_all(bank, "HUF", level="full", daily_sum_minor=700)
    assert await words(bank, transfer(payer, payee, 51, **pay)) == ["payment_max"]
    assert await words(bank, transfer(payer, payee, 50, **pay)) == ["completed"]
    async with bank.database.transaction() as connection:
        await connection.execute(
            text("UPDATE accounts SET kyc_level = 'basic' WHERE reference = :reference"),
            {"reference": payer},
        )
    assert await words(bank, transfer(payer, payee, 21, **pay)) == ["daily_sum"]
    await limit(bank, payer, daily_sum_minor=60, payment_max_minor=99)
    [outcome] = await bank.post(transfer(payer, payee, 11, **pay))
    assert isinstance(outcome, Declined)
    assert outcome.figures is not None
    assert (outcome.figures["scope"], outcome.figures["allowed"]) == ("account", 60)
    assert await words(bank, transfer(payer, payee, 10, **pay)) == ["completed"]
    await limit_all(bank, "HUF")
    await limit_all(bank, "HUF", level="basic")
    await limit_all(bank, "HUF", level="full")


async def test_a_clients_limits_are_not_anothers_and_not_of_other_currencies(bank: Bank) -> None:
    await limit_all(bank, "RON", daily_count=0)
    for currency, caller in (("CZK", "bank"), ("RON", "other")):
        payer = await bank.open(balance=10, currency=currency, caller=caller)
        payee = await bank.open(currency=currency, caller=caller)
        asked = transfer(payer, payee, 1, currency=currency, client_id=caller)
        assert await words(bank, asked) == ["completed"]


async def test_what_a_level_let_out_counts_when_the_account_comes_back_to_it(bank: Bank) -> None:
    payer, payee = await bank.open(balance=999, currency="CHF"), await bank.open(currency="CHF")
    await limit_all(bank, "CHF", level="basic", daily_sum_minor=100)

    async def pay(amount_minor: int, level: str) -> list[str]:
        async with bank.database.transaction() as connection:
            await connection.execute(
                text("UPDATE accounts SET kyc_level = :level WHERE reference = :reference"),
                {"reference": payer, "level": level},
            )
        return await words(bank, transfer(payer, payee, amount_minor, currency="CHF"))

    assert await pay(10, "basic") == ["completed"]
    assert await pay(80, "full") == ["completed"]
    assert await pay(11, "basic") == ["daily_sum"]
    assert await pay(10, "basic") == ["completed"]


async def test_who_is_approved_for_a_higher_level_may_pay_more_from_the_next_payment_on(bank: Bank) -> None:
    customer = await register(bank, currency="ZAR")
    payer, facts = customer["accounts"]["ZAR"], {"currency": "ZAR"}
    payee = await bank.open(currency="ZAR")
    await bank.send("POST", f"/v1/accounts/{payer}/deposits", {"amount_minor": 500, "currency": "ZAR"})
    await limit_all(bank, "ZAR", level="none", daily_sum_minor=10)
    await limit_all(bank, "ZAR", level="basic", daily_sum_minor=100)
    told = ["completed", "daily_sum"]
    assert await words(bank, transfer(payer, payee, 10, **facts), transfer(payer, payee, 1, **facts)) == told
    path = f"/v1/customers/{customer['id']}/kyc"
    assert (await bank.send("POST", path, {"level": "basic"})).status_code == 200
    assert await words(bank, transfer(payer, payee, 1, **facts)) == ["daily_sum"]
    body = {"decision": "approve", "level": "basic"}
    assert (await bank.send("POST", f"{path}/decision", body)).status_code == 200
    assert await words(bank, transfer(payer, payee, 90, **facts), transfer(payer, payee, 1, **facts)) == told
    answer = await bank.send("GET", f"/v1/accounts/{payer}/limits", key=None)
    assert answer.json()["kyc_level"] == "basic"
