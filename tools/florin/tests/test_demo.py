"""The demonstration shows every kind of end, and a second one moves nothing."""

from dataclasses import replace
from pathlib import Path

from florin.demo.sample import CURRENCIES, make_sample
from florin.demo.story import play
from florin.importing.progress import Unwatched
from florin.latency import percentile
from testkit.stacks import RunningServices


def test_the_sample_is_the_same_every_time_and_of_every_exponent() -> None:
    """Or a second run would pay."""
    assert make_sample() == make_sample()
    assert {row[2] for row in make_sample().accounts} == set(CURRENCIES)
    assert len(make_sample().payments) > 2_000


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """By the nearest rank."""
    assert percentile([3, 1, 2, 4], 50) == 2
    assert percentile(list(range(1, 101)), 99) == 99
    assert percentile([5], 99) == 5


async def test_a_second_demonstration_moves_no_money(own_running: RunningServices, tmp_path: Path) -> None:
    """Everything is known by its key, and what was refused is refused again."""
    surroundings = replace(own_running.surroundings, run_dir=tmp_path)
    first = await play(surroundings, say=lambda _line: None, watcher=Unwatched())
    tally = first.tally
    assert tally.settled + tally.rejected.total() == tally.accepted > 2_800
    assert set(tally.rejected) == {
        *("insufficient_funds", "currency_mismatch", "screening_declined", "review_declined"),
        *(f"{side}_{why}" for side in ("debtor", "creditor") for why in ("not_found", "frozen", "closed")),
    }
    assert {"idempotency_key_reused", "exceeds_original", "too_many_decimals"} <= set(tally.refused)
    assert (tally.in_review, tally.approved, tally.declined, tally.reversals) == (0, 8, 4, 3)
    assert tally.authorised == 2
    assert tally.postings_added == tally.settled
    assert first.bulk_times is not None
    assert first.single_times is not None
    assert first.bulk_times.count + first.single_times.count > 2_800
    second = (await play(surroundings, say=lambda _line: None, watcher=Unwatched())).tally
    assert (second.accepted, second.settled, second.postings_added, second.authorised) == (0, 0, 0, 0)
    assert second.replayed == tally.accepted + tally.replayed
    assert second.refused == tally.refused
