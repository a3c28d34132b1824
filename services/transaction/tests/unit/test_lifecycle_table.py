"""The table of moves, and the chain that each move extends."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transaction_service.domain.hashing import canonical, canonical_time
from transaction_service.domain.lifecycle import (
    NEXT,
    TERMINAL,
    IllegalMove,
    Standing,
    Status,
    first_event,
    move,
)

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_every_state_can_be_reached_and_every_way_ends() -> None:
    """No state is orphaned, and there is no way round in circles."""
    reached = {Status.PENDING}
    frontier = [Status.PENDING]
    while frontier:
        for following in NEXT[frontier.pop()] - reached:
            reached.add(following)
            frontier.append(following)
    assert reached == set(Status)
    assert {Status.SETTLED, Status.REJECTED, Status.VOIDED, Status.EXPIRED} == TERMINAL


@given(st.lists(st.sampled_from(list(Status)), max_size=6))
def test_a_walk_is_legal_exactly_where_the_table_says(walk: list[Status]) -> None:
    """Each accepted step is in the table, chained to the one before; the first other step is refused."""
    payment_id, record = uuid4(), b"r" * 32
    begun = first_event(payment_id, record, at=AT)
    standing = Standing(payment_id, Status.PENDING, 1, begun.hash)
    for target in walk:
        if target not in NEXT[standing.status]:
            with pytest.raises(IllegalMove):
                move(standing, target, at=AT)
            return
        (event,), after = move(standing, target, at=AT)
        assert (event.previous_hash, event.sequence) == (standing.last_hash, standing.sequence + 1)
        assert (after.status, after.last_hash) == (target, event.hash)
        standing = after


def test_any_change_of_a_step_changes_its_hash() -> None:
    """Reason, time and what came before are all bound."""
    standing = Standing(uuid4(), Status.PENDING, 1, b"a" * 32)
    later = AT.replace(microsecond=1)
    hashes = {
        move(standing, Status.REJECTED, at=AT)[0][0].hash,
        move(standing, Status.REJECTED, at=AT, reason="x")[0][0].hash,
        move(standing, Status.REJECTED, at=later)[0][0].hash,
        move(standing, Status.APPROVED, at=AT)[0][0].hash,
        move(Standing(standing.payment_id, Status.PENDING, 1, b"b" * 32), Status.REJECTED, at=AT)[0][0].hash,
    }
    assert len(hashes) == 5


def test_the_canonical_form_is_sorted_compact_and_utf8() -> None:
    """As RFC 8785 has it for strings, integers and null."""
    form = {"b": 1, "a": "é\n\u2028", "c": None, "m": {"z": "1", "y": "2"}}
    assert canonical(form) == '{"a":"é\\n\u2028","b":1,"c":null,"m":{"y":"2","z":"1"}}'.encode()
    assert canonical_time(AT) == "2026-01-31T12:00:00.000000Z"
