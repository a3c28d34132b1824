"""Statements and balances of the past over HTTP."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from . import camt053
from .bank import Bank, name, transfer

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def account_with_history(bank: Bank, entries: int = 5, **given: Any) -> str:
    """An account with 1,000 at 11:00 and, each hour from noon, 1, 2, 3 … less."""
    bank.clock.at = NOON - HOUR
    account, other = await bank.open(balance=1000, **given), await bank.open(**given)
    currency = given.get("currency", "CZK")
    for hours in range(entries):
        bank.clock.at = NOON + hours * HOUR
        await bank.post(transfer(account, other, hours + 1, currency=currency))
    bank.clock.at = None
    return account


def when(hours: int) -> str:
    return (NOON + hours * HOUR).isoformat().replace("+00:00", "Z")


async def statement(bank: Bank, account: str, query: str = "", **given: Any) -> Any:
    path = f"/v1/accounts/{account}/statement?from={when(1)}&to={when(4)}{query}"
    return await bank.send("GET", path, key=None, **given)


async def test_a_statement_opens_closes_and_adds_up(bank: Bank) -> None:
    account = await account_with_history(bank)
    told = (await statement(bank, account)).json()
    assert [line["amount_minor"] for line in told["items"]] == [-2, -3, -4]
    assert (told["opening_balance_minor"], told["closing_balance_minor"]) == (999, 990)
    assert sum(line["amount_minor"] for line in told["items"]) == 990 - 999
    assert (told["from"], told["to"], told["lines"], told["ended"]) == (when(1), when(4), 3, True)
    assert told["next_cursor"] is None


async def test_a_statements_pages_add_up_whatever_is_posted_meanwhile(bank: Bank) -> None:
    account = await account_with_history(bank)
    end = "2100-01-01T00:00:00Z"
    path = f"/v1/accounts/{account}/statement?from={when(0)}&to={end}&limit=2"
    page = (await bank.send("GET", path, key=None)).json()
    closing, lines = page["closing_balance_minor"], list(page["items"])
    assert page["ended"] is False
    while page["next_cursor"] is not None:
        await bank.post(transfer(account, await bank.open(), 100))
        page = (await bank.send("GET", f"{path}&cursor={page['next_cursor']}", key=None)).json()
        assert (page["opening_balance_minor"], page["closing_balance_minor"]) == (1000, closing)
        lines += page["items"]
    assert [line["entry_number"] for line in lines] == [2, 3, 4, 5, 6]
    assert sum(line["amount_minor"] for line in lines) == closing - 1000


async def test_a_period_before_and_after_everything_has_no_lines(bank: Bank) -> None:
    account = await account_with_history(bank)
    early = f"/v1/accounts/{account}/statement?from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z"
    late = f"/v1/accounts/{account}/statement?from=2025-06-01T00:00:00Z&to=2025-06-01T00:00:00Z"
    for path, balance in ((early, 0), (late, 985)):
        told = (await bank.send("GET", path, key=None)).json()
        assert (told["opening_balance_minor"], told["closing_balance_minor"]) == (balance, balance)
        assert (told["items"], told["next_cursor"]) == ([], None)


@pytest.mark.parametrize(
    ("currency", "opening", "closing", "second"),
    [
        ("CZK", "9.99", "9.90", "-0.03"),
        ("JPY", "999", "990", "-3"),
        ("KWD", "0.999", "0.990", "-0.003"),
    ],
)
async def test_a_statement_as_csv_has_the_currencys_decimals(
    bank: Bank, currency: str, opening: str, closing: str, second: str
) -> None:
    account = await account_with_history(bank, currency=currency)
    answer = await statement(bank, account, accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["row"] for row in rows] == ["opening", "entry", "entry", "entry", "closing"]
    assert (rows[0]["balance"], rows[-1]["balance"], rows[2]["amount"]) == (opening, closing, second)
    assert {row["currency"] for row in rows} == {currency}
    assert rows[1]["posted_at"] == "2025-03-01T13:00:00.000000Z"


@pytest.mark.parametrize("accept", ["text/csv", "application/xml"])
async def test_a_text_that_looks_like_a_formula_or_like_markup_stays_a_text(bank: Bank, accept: str) -> None:
    account = await bank.open()
    hostile = [
        '=HYPERLINK("http://x";"y")',
        "+1",
        "-1",
        "@SUM(A1)",
        "a;=1+1",
        'a","=1',
        "<b>&amp;\ufffe",
        "＝1",
    ]
    for text in hostile:
        body = {"amount_minor": 1, "currency": "CZK", "reference": text, "description": text * 2}
        answer = await bank.send("POST", f"/v1/accounts/{account}/deposits", body)
        assert answer.status_code == 201, answer.text
    path = f"/v1/accounts/{account}/statement?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
    answer = await bank.send("GET", path, key=None, accept=accept)
    assert answer.status_code == 200
    if accept == "application/xml":
        entries = camt053.texts(
            camt053.read(answer.text), "BkToCstmrStmt/Stmt/Ntry/NtryDtls/TxDtls/RmtInf/Ustrd"
        )
        assert entries[::2] == [text.replace("\ufffe", "\ufffd") for text in hostile]
        return
    for delimiter in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(answer.text, newline=""), delimiter=delimiter):
            for cell in row:
                assert not cell.lstrip().startswith(("=", "+", "@", "＝")), cell
                assert not cell.startswith("-") or cell == "-1.00", cell
    references = [row["reference"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))]
    assert references[1:3] == ["'" + hostile[0], "'+1"]


@pytest.mark.parametrize(("currency", "amount"), [("CZK", "0.03"), ("JPY", "3"), ("KWD", "0.003")])
async def test_a_statement_as_camt_053_is_valid_and_adds_up(bank: Bank, currency: str, amount: str) -> None:
    account = await account_with_history(bank, currency=currency)
    answer = await statement(bank, account, accept="application/xml")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    root = camt053.read(answer.text)
    exponent = len(amount.partition(".")[2])

    def signed(amounts: list[str], directions: list[str]) -> list[int]:
        pairs = zip(amounts, directions, strict=True)
        return [int(text.replace(".", "")) * (1 if way == "CRDT" else -1) for text, way in pairs]

    balances = signed(*(camt053.texts(root, f"BkToCstmrStmt/Stmt/Bal/{one}") for one in ("Amt", "CdtDbtInd")))
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Bal/Tp/CdOrPrtry/Cd") == ["OPBD", "CLBD"]
    assert balances == [999, 990]
    written = camt053.texts(root, "BkToCstmrStmt/Stmt/Ntry/Amt")
    entries = signed(written, camt053.texts(root, "BkToCstmrStmt/Stmt/Ntry/CdtDbtInd"))
    assert (entries, written[1]) == ([-2, -3, -4], amount)
    assert sum(entries) == balances[1] - balances[0]
    assert all(len(text.partition(".")[2]) == exponent for text in written)
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/TxsSummry/TtlNtries/NbOfNtries") == ["3"]
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Ntry/BookgDt/DtTm")[0] == "2025-03-01T13:00:00.000000Z"
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Acct/Nm") == [account]


async def test_camt_053_names_a_reversal_and_an_account_of_64_characters(bank: Bank) -> None:
    from account_service.domain.posting import PostingKind

    account, other = await bank.open(name() + "x" * 50, balance=10, overdraft_minor=50), await bank.open()
    paid = transfer(account, other, 30)
    await bank.post(paid)
    await bank.post(transfer(other, account, 30, kind=PostingKind.REVERSAL, reverses=paid.payment_id))
    path = f"/v1/accounts/{account}/statement?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
    root = camt053.read((await bank.send("GET", path, key=None, accept="application/xml")).text)
    entry = "BkToCstmrStmt/Stmt/Ntry"
    assert camt053.texts(root, f"{entry}/RvslInd") == ["true"]
    assert paid.payment_id is not None
    assert camt053.texts(root, f"{entry}/NtryDtls/TxDtls/Refs/Prtry/Ref") == [paid.payment_id.hex]
    assert camt053.texts(root, f"{entry}/NtryDtls/TxDtls/RltdPties/CdtrAcct/Nm") == [other]
    assert camt053.texts(root, "BkToCstmrStmt/Stmt/Acct/Nm") == [account]


def test_the_structural_check_finds_what_is_out_of_place() -> None:
    good = (
        f'<Document xmlns="{camt053.NAMESPACE}"><BkToCstmrStmt><GrpHdr><MsgId>a</MsgId>'
        "<CreDtTm>2025-01-01T00:00:00Z</CreDtTm></GrpHdr><Stmt><Id>a</Id><Acct><Id><Othr><Id>a</Id></Othr></Id>"
        '</Acct><Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1.00</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-01-01</Dt></Dt></Bal></Stmt></BkToCstmrStmt></Document>"
    )
    camt053.read(good)
    for part, wrong in (
        ("<MsgId>a</MsgId>", ""),
        ("<MsgId>a</MsgId>", f"<MsgId>{'a' * 36}</MsgId>"),
        ("<Id>a</Id><Acct>", "<Acct>"),
        ("CRDT", "CREDIT"),
        (' Ccy="EUR"', ""),
        (">1.00<", ">-1.00<"),
        ("OPBD", "OPEN"),
        ("<Dt><Dt>2025-01-01</Dt></Dt>", "<Dt>2025-01-01</Dt>"),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Dt>", "<Dt>"),
    ):
        assert part in good
        with pytest.raises(camt053.NotValid):
            camt053.read(good.replace(part, wrong, 1))


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/*;q=0.5", "text/csv; charset=utf-8"),
        ("application/json;q=0.1, application/xml", "application/xml; charset=utf-8"),
        ("text/csv;q=0, */*;q=0.1", "application/json"),
        ("nonsense", "application/json"),
        ("image/png", None),
        ("application/json;q=0", None),
    ],
)
async def test_the_form_is_the_one_that_is_asked_for(
    bank: Bank, accept: str | None, content_type: str | None
) -> None:
    account = await account_with_history(bank, 1)
    answer = await statement(bank, account, accept=accept)
    if content_type is None:
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "from=2025-01-01T00:00:00Z",
        "from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z",
        "from=2025-01-01&to=2025-01-02",
        "from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z&limit=0",
        "from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z&cursor=AAAA",
        "from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z&format=csv",
    ],
)
async def test_a_statement_that_cannot_be_evaluated_is_refused(bank: Bank, query: str) -> None:
    answer = await bank.send("GET", f"/v1/accounts/{await bank.open()}/statement?{query}", key=None)
    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize(
    "place", ["9.9.9", "2.1.1", "0.1.2", "0.1", "0.0.0.0", "a.b.c", "-1.0.0", str(2**63)]
)
async def test_a_forged_place_in_a_statement_is_refused(bank: Bank, place: str) -> None:
    from service_kit.cursors import encode_cursor

    account = await bank.open(balance=1)
    begin, end = NOON.isoformat(), (NOON + HOUR).isoformat()
    cursor = encode_cursor(f"statement {account} {begin} {end}", place)
    path = f"/v1/accounts/{account}/statement?from={when(0)}&to={when(1)}&cursor={cursor}"
    answer = await bank.send("GET", path, key=None)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_another_clients_account_has_no_statement_and_no_past(bank: Bank) -> None:
    account = await account_with_history(bank, 1)
    for path in (f"{account}/balance?at={when(1)}", f"{account}/statement?from={when(0)}&to={when(1)}"):
        for accept in ("application/json", "text/csv", "application/xml"):
            answer = await bank.send("GET", f"/v1/accounts/{path}", key=None, caller="other", accept=accept)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_balance_of_the_past_is_what_was_posted_up_to_that_instant(bank: Bank) -> None:
    account = await account_with_history(bank)
    for at, expected in (
        (NOON - HOUR - timedelta(microseconds=1), (0, 0)),
        (NOON - HOUR, (1000, 1)),
        (NOON + 2 * HOUR, (994, 4)),
        (NOON + 3 * HOUR - timedelta(microseconds=1), (994, 4)),
        (datetime(2026, 1, 1, tzinfo=UTC), (985, 6)),
    ):
        moment = at.isoformat().replace("+00:00", "Z")
        told = (await bank.send("GET", f"/v1/accounts/{account}/balance?at={moment}", key=None)).json()
        assert (told["posted_minor"], told["version"]) == expected
        assert "available_minor" not in told


async def test_a_balance_of_the_future_is_not_told(bank: Bank) -> None:
    account = await bank.open(balance=1)
    answer = await bank.send("GET", f"/v1/accounts/{account}/balance?at=2100-01-01T00:00:00Z", key=None)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "in_the_future")


async def test_entries_whose_times_go_back_a_little_are_all_told(bank: Bank) -> None:
    """Two processes' clocks differ: the later entry bears the earlier time."""
    payer, payee = await bank.open(balance=10), await bank.open()
    for seconds in (0.0, 0.02, 0.01, 0.03):
        bank.clock.at = NOON + timedelta(seconds=seconds)
        await bank.post(transfer(payer, payee, 1))
    bank.clock.at = None
    cut = (NOON + timedelta(seconds=0.02)).isoformat().replace("+00:00", "Z")
    path = f"/v1/accounts/{payee}/statement?from={when(0)}&to={cut}"
    told = (await bank.send("GET", path, key=None)).json()
    assert told["closing_balance_minor"] == sum(line["amount_minor"] for line in told["items"]) == 3
