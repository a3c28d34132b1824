"""Pauses grow and stay; addresses are counted as their holders have them; states lead where they may."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from identity_service.domain.person import IllegalPersonMove, PersonState, moved
from identity_service.domain.session import IDLE, LIFE, Session
from identity_service.domain.sign_in import BY_ACCOUNT, BY_ADDRESS, Pacing, counted_address

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("pacing", [BY_ACCOUNT, BY_ADDRESS])
def test_pauses_grow_and_never_shrink(pacing: Pacing) -> None:
    pauses = [pacing.pause_s(n) for n in range(1, 200)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 0
    assert pauses[-1] == 15 * 60


def test_a_day_allows_about_a_hundred_guesses_at_one_account() -> None:
    spent, guesses = 0, 0
    while spent < 24 * 3600 - 15 * 60:
        guesses += 1
        spent += BY_ACCOUNT.pause_s(guesses)
    assert guesses < 107


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "unknown"),
    ],
)
def test_addresses_are_counted_by_who_holds_them(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_a_session_ends_by_idleness_and_by_age() -> None:
    session = Session(
        id=uuid4(),
        person_id=uuid4(),
        client_id="bank",
        begun_at=NOON,
        second_factor_at=NOON,
        seen_at=NOON,
        address="192.0.2.7",
        agent="a browser",
    )
    moment = timedelta(microseconds=1)
    assert not session.ended(now=NOON + IDLE - moment)
    assert session.ended(now=NOON + IDLE)
    busy = session.seen(now=NOON + LIFE - moment)
    assert not busy.ended(now=NOON + LIFE - moment)
    assert busy.ended(now=NOON + LIFE)


def test_who_was_disabled_comes_back_by_invitation_only() -> None:
    assert moved(PersonState.DISABLED, PersonState.INVITED) is PersonState.INVITED
    with pytest.raises(IllegalPersonMove):
        moved(PersonState.DISABLED, PersonState.ACTIVE)
