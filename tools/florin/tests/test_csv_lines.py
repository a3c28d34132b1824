"""Reading CSV: what is refused is refused by its line, and nothing else is lost by it."""

from pathlib import Path

import pytest
from florin.importing.lines import Fault, Line, UnreadableFile, count_lines, read_lines
from florin.importing.orders import PAYMENT_COLUMNS, Item, payment_key, read_account, read_payment
from florin.importing.rejects import Rejects, rejects_beside
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = ("a", "b")


def _read(tmp_path: Path, content: bytes) -> list[Line | Fault]:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return list(read_lines(path, COLUMNS))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_is_read_with_or_without_mark_and_with_either_line_end(
    tmp_path: Path, mark: bytes, end: bytes
) -> None:
    """Spreadsheets write both."""
    lines = _read(tmp_path, mark + end.join([b"b,a", b'2,"1, ""x"""', b"", "é,寿司".encode()]))
    assert lines == [Line(2, {"b": "2", "a": '1, "x"'}), Line(4, {"b": "é", "a": "寿司"})]


@pytest.mark.parametrize("header", [b"", b"a\n", b"a,b,c\n", b"a,a\n", b"A,B\n", b"\xff,b\n", b"a;b\n"])
def test_a_file_with_another_header_is_not_read(tmp_path: Path, header: bytes) -> None:
    """Else columns would be taken for each other."""
    with pytest.raises(UnreadableFile, match="must name these columns: a,b"):
        _read(tmp_path, header)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"1", "wrong_number_of_fields"),
        (b"1,2,3", "wrong_number_of_fields"),
        (b'1,"2', "malformed_line"),
        (b'1,"2"x', "malformed_line"),
        (b"1,\xff", "invalid_utf8"),
        (b"1,\xed\xa0\x80", "invalid_utf8"),
        (b"1,\x00", "control_character"),
        (b"1,a\rb", "control_character"),
        ("1,\x85".encode(), "control_character"),
        (b"1," + b"x" * 50_000, "line_too_long"),
    ],
)
def test_a_bad_line_costs_nothing_but_itself(tmp_path: Path, bad: bytes, code: str) -> None:
    """An open quote above all must not swallow what follows."""
    lines = _read(tmp_path, b"a,b\n1,2\n" + bad + b"\n3,4\n")
    assert lines[0] == Line(2, {"a": "1", "b": "2"})
    assert isinstance(lines[1], Fault)
    assert (lines[1].number, lines[1].code) == (3, code)
    assert lines[2:] == [Line(4, {"a": "3", "b": "4"})]


def test_records_are_counted_for_the_progress_bar(tmp_path: Path) -> None:
    """With and without a line end at the end."""
    path = tmp_path / "file.csv"
    path.write_bytes(b"a,b\n1,2\n3,4")
    assert count_lines(path) == 2
    path.write_bytes(b"a,b\n1,2\n3,4\n")
    assert count_lines(path) == 2


def _payment(**fields: str) -> Item | Fault:
    given = dict.fromkeys(PAYMENT_COLUMNS, "x") | {"amount": "12.50", "currency": "EUR"} | fields
    return read_payment(Line(7, given))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": "1.5", "currency": "JPY"}, "too_many_decimals"),
        ({"amount": "0.0001", "currency": "KWD"}, "too_many_decimals"),
        ({"amount": "1,50"}, "invalid_amount"),
        ({"amount": "1e3"}, "invalid_amount"),
        ({"amount": "NaN"}, "invalid_amount"),
        ({"amount": "١٢"}, "invalid_amount"),
        ({"amount": "0.00"}, "amount_out_of_range"),
        ({"amount": "-1.00"}, "amount_out_of_range"),
        ({"amount": "10000000000000.00"}, "amount_out_of_range"),
        ({"currency": "XXX"}, "unknown_currency"),
        ({"currency": "eur"}, "unknown_currency"),
        ({"reference": ""}, "missing_value"),
        ({"amount": ""}, "missing_value"),
    ],
)
def test_an_amount_that_its_currency_cannot_hold_is_refused(fields: dict[str, str], code: str) -> None:
    """By its line and with a stable code."""
    fault = _payment(**fields)
    assert isinstance(fault, Fault)
    assert (fault.number, fault.code) == (7, code)


def test_decimals_become_minor_units_of_the_currency() -> None:
    """JPY has none, EUR two, KWD three."""
    for amount, currency, minor in (("1250", "JPY", 1250), ("12.5", "EUR", 1250), ("1.250", "KWD", 1250)):
        item = _payment(amount=amount, currency=currency, description="")
        assert isinstance(item, Item)
        assert item.body["amount_minor"] == minor
        assert "description" not in item.body


def test_an_account_may_open_with_nothing_but_not_with_less() -> None:
    """Zero is a balance, a negative one is not."""
    fields = {"account": "A", "holder": "H", "currency": "EUR"}
    assert isinstance(read_account(Line(2, {**fields, "opening_balance": "0"})), Item)
    assert isinstance(read_account(Line(2, {**fields, "opening_balance": "-0.01"})), Fault)


def test_a_plain_reference_is_its_own_key() -> None:
    """As the documents promise."""
    assert payment_key("ORDER-29401") == "import:ORDER-29401"


@given(st.text(min_size=1, max_size=140), st.text(min_size=1, max_size=140))
def test_no_two_references_share_a_key(one: str, other: str) -> None:
    """And every key is one that the service takes."""
    keys = [payment_key(text.encode("utf-8", "replace").decode()) for text in (one, other)]
    same = one.encode("utf-8", "replace") == other.encode("utf-8", "replace")
    assert (keys[0] == keys[1]) is same
    assert all(1 <= len(key) <= 255 and all("!" <= c <= "~" for c in key) for key in keys)


def test_the_rejects_file_exists_only_when_something_was_rejected(tmp_path: Path) -> None:
    """One left by an earlier import must not speak for this one."""
    path = rejects_beside(tmp_path / "payments.csv")
    assert path.name == "payments.rejects.csv"
    with Rejects(path) as rejects:
        rejects.add(Fault(3, "some_code", "=1+1"))
    assert path.read_bytes() == b"line,code,message\r\n3,some_code,'=1+1\r\n"
    with Rejects(path):
        pass
    assert not path.exists()
