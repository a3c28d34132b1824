"""Idempotency keys and cursors: what a client may send, and what is refused with which code."""

import base64
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_kit.cursors import Listing, decode_cursor, encode_cursor
from service_kit.ids import uuid7
from service_kit.problems import Problem

Call = Callable[..., Awaitable[httpx2.Response]]
BODY = {"debtor": "a", "amount_minor": 1}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "idempotency_key_invalid"),
        ("with space", "idempotency_key_invalid"),
        ("k" * 256, "idempotency_key_invalid"),
        ("ключ", "idempotency_key_invalid"),
        ("tab\tinside", "idempotency_key_invalid"),
    ],
)
async def test_a_bad_idempotency_key_gets_400(call: Call, key: str, code: str) -> None:
    answer = await call("POST", "/v1/payments", json=BODY, headers={"idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_missing_idempotency_key_and_two_of_them_get_400(call: Call) -> None:
    missing = await call("POST", "/v1/payments", json=BODY, headers={"idempotency-key": None})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
    two = await call("POST", "/v1/payments", json=BODY, more_headers=[("Idempotency-Key", "k-1")])
    assert (two.status_code, two.json()["code"]) == (400, "idempotency_key_repeated")


@pytest.mark.parametrize("key", ["k", "~!@#$%^&*()", "k" * 255])
async def test_a_good_idempotency_key_arrives_as_it_was_sent(call: Call, key: str) -> None:
    answer = await call("POST", "/v1/payments", json=BODY, headers={"idempotency-key": key})
    assert answer.json()["key"] == key


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_a_cursor_comes_back_as_its_position(position: str) -> None:
    assert decode_cursor("payments", encode_cursor("payments", position)) == position


@given(st.data())
def test_no_altered_cursor_is_read(data: st.DataObject) -> None:
    cursor = encode_cursor("payments", "2026-01-31T12:00:00Z 42")
    index = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_=+/ é"))
    altered = cursor[:index] + letter + cursor[index + 1 :]
    if altered != cursor:
        with pytest.raises(Problem) as refused:
            decode_cursor("payments", altered)
        assert (refused.value.status, refused.value.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "cursor", ["", "x", "=" * 40, base64.urlsafe_b64encode(b"\x00" * 30).decode(), "𝟘" * 9]
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem, match="invalid_cursor"):
        decode_cursor("payments", cursor)


def test_a_cursor_of_another_list_or_of_another_type_is_refused() -> None:
    position = str(uuid7())
    cursor = encode_cursor("payments", position)
    assert decode_cursor("payments", cursor, read=UUID) == UUID(position)
    with pytest.raises(Problem, match="invalid_cursor"):
        decode_cursor("accounts", cursor)
    with pytest.raises(Problem, match="invalid_cursor"):
        decode_cursor("payments", cursor, read=int)


@given(st.sets(st.integers(1, 999)), st.integers(1, 7))
def test_pages_one_after_another_are_the_whole_list_and_none_is_empty(found: set[int], limit: int) -> None:
    rows, told, cursor = sorted(found), list[int](), None
    while True:
        listing = Listing("numbers", cursor, limit, start=0, read=int)
        beyond = [row for row in rows if row > listing.position]
        page, cursor = listing.page(beyond[: listing.rows], lambda row: row)
        assert len(page) <= limit
        assert page or not rows
        told.extend(page)
        if cursor is None:
            break
    assert told == rows


def test_a_page_of_another_list_is_refused_before_a_row_is_read() -> None:
    cursor = Listing("numbers", None, 1, start=0, read=int).cursor_at(7)
    assert Listing("numbers", cursor, 1, start=0, read=int).position == 7
    with pytest.raises(Problem, match="invalid_cursor"):
        Listing("letters", cursor, 1, start=0, read=int)
