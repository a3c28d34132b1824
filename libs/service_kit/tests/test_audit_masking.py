"""What an entry tells of a change: by a list of what may be told."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from service_kit.audit.masking import MASK, MASK_CHANGED, masked


class State(StrEnum):
    FROZEN = "FROZEN"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("EUR", "EUR"),
        (7, 7),
        (True, True),
        (None, None),
        (State.FROZEN, "FROZEN"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000000Z"),
        (frozenset({"b", "a"}), ["a", "b"]),
        (("b", "a"), ["b", "a"]),
    ],
)
def test_what_may_be_told_is_told_in_one_form(value: Any, told: Any) -> None:
    assert masked(None, {"state": value}) == (None, {"state": told})


def test_what_nobody_listed_is_masked_wherever_it_stands() -> None:
    before = {"mobile": "+420601123456", "state": "OPEN", "holder": {"name": "Jana", "level": "basic"}}
    after = {"mobile": "+420777777777", "state": "FROZEN", "holder": {"name": "Jana", "level": "full"}}
    assert masked(before, after) == (
        {"mobile": MASK, "state": "OPEN", "holder": {"name": MASK, "level": "basic"}},
        {"mobile": MASK_CHANGED, "state": "FROZEN", "holder": {"name": MASK, "level": "full"}},
    )


def test_objects_in_a_list_of_what_may_be_told_are_masked_too() -> None:
    assert masked(None, {"payments": [{"account": "a", "iban": "CZ65"}, "b"]}) == (
        None,
        {"payments": [{"account": "a", "iban": MASK}, "b"]},
    )


def test_a_masked_field_that_is_empty_says_so() -> None:
    assert masked({"email": None}, {"email": "jana@example.com"}) == (
        {"email": None},
        {"email": MASK_CHANGED},
    )


@pytest.mark.parametrize("value", [1.5, b"bytes", object()], ids=["float", "bytes", "object"])
def test_what_has_no_one_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot hold"):
        masked(None, {"state": value})
