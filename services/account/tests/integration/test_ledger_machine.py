"""Whatever is asked of the ledger, in whatever order, it does what a model in plain Python does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from account_service.domain.account import (
    AccountIsClosed,
    AccountNotEmpty,
    AccountState,
    IllegalStateChange,
    OverdraftInUse,
)
from account_service.domain.hold import Conditions
from account_service.domain.opening import OpeningTerms
from account_service.domain.outcome import Outcome
from account_service.domain.posting import PostingKind, PostingRequest, Request
from account_service.operations.change_overdraft import ChangeOverdraft, change_overdraft
from account_service.operations.change_state import ChangeState, change_state
from account_service.operations.expire_holds import expire_holds
from account_service.operations.open_accounts import open_accounts
from account_service.operations.post_batch import post_batch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from service_kit.ids import uuid7
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase

from .bank import capture, hold, new_vault, transfer, void
from .holding import word
from .ledger_machine_limits import BEFORE_MIDNIGHT, ORIGIN, HeldToLimits, World
from .ledger_model import STATES, Model, ModelAccount, ModelHold

SEQUENCES, STEPS = 200, 30
NAMES = ("a", "b", "c")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OPENING = 100
# One look at all that is the client's: each step costs one round trip for it and no transaction.
LOOK = """
    SELECT (SELECT json_object_agg(a.reference, json_build_array(a.posted_minor, a.held_minor,
                a.overdraft_minor, a.state, a.version,
                (SELECT coalesce(sum(h.remaining_minor), 0) FROM holds h
                 WHERE h.account_id = a.id AND h.state = 'OPEN'),
                (SELECT coalesce(sum(e.amount_minor), 0) FROM entries e WHERE e.account_id = a.id)))
            FROM accounts a WHERE a.client_id = $1)::text,
           (SELECT coalesce(json_object_agg(h.payment_id, json_build_array(h.state, h.captured_minor)), '{}')
            FROM holds h JOIN accounts a ON a.id = h.account_id WHERE a.client_id = $1)::text
"""

names, amounts, places = st.sampled_from(NAMES), st.integers(1, 60), st.integers(0, 999)
# Without a filter: what it refuses would end the whole sequence.
pairs = st.sampled_from(list(permutations(NAMES, 2)))


@pytest.fixture(scope="module")
def world(account_database: ServiceDatabase) -> Iterator[World]:
    made = World(account_database)
    yield made
    made.close()


class LedgerMachine(HeldToLimits):
    """Asks the ledger and the model the same, and compares what both say and where both stand."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        number = next(world.sequences)
        self.client = f"client-{number}"
        # Each sequence lives a day before the last one: what a broken one left open is not yet due.
        self.start = NOON - timedelta(days=number) - BEFORE_MIDNIGHT
        self.clock = StillClock()
        self.clock.at = self.start
        self.model = Model({name: ModelAccount(OPENING, 0) for name in NAMES}, self.date_at)
        self.asked: list[tuple[PostingRequest, Outcome]] = []
        self.placed: list[tuple[PostingRequest, ModelHold]] = []
        terms = [
            OpeningTerms(
                account=name, holder="H", currency="CZK", overdraft_minor=0, opening_balance_minor=OPENING
            )
            for name in NAMES
        ]
        vault = new_vault()  # nobody's name is read again
        opened = partial(open_accounts, origin=ORIGIN, vault=vault, clock=self.clock, new_id=uuid7)
        world.transact(lambda c: opened(c, self.client, terms))
        self.live_in_zones()

    # What is asked.

    def post(self, *requests: Request) -> list[str]:
        outcomes = self.world.transact(lambda c: post_batch(c, requests, clock=self.clock, new_id=uuid7))
        self.asked += [
            (request, outcome)
            for request, outcome in zip(requests, outcomes, strict=True)
            if isinstance(request, PostingRequest)
        ]
        return [word(outcome) for outcome in outcomes]

    def _transfer(self, pair: tuple[str, str], amount: int, **given: Any) -> PostingRequest:
        return transfer(*pair, amount, client_id=self.client, **given)

    def _hold(self, kept: ModelHold) -> PostingRequest:
        return hold(
            kept.debtor,
            kept.creditor,
            kept.amount,
            client_id=self.client,
            tolerance_minor=kept.tolerance,
            captured_many_times=kept.many,
            expires_at=self.start + timedelta(seconds=kept.expires),
        )

    def _try_hold(self, kept: ModelHold) -> tuple[PostingRequest, str]:
        request, expected = self._hold(kept), self.model.hold(kept)
        if expected == "held":
            self.placed.append((request, kept))
        return request, expected

    @rule(pair=pairs, amount=amounts)
    def pay(self, pair: tuple[str, str], amount: int) -> None:
        expected = self.model.pay(*pair, amount)
        assert self.post(self._transfer(pair, amount)) == [expected]

    @rule(pair=pairs, amount=amounts, by=st.integers(-1, 1), least=st.integers(-1, 1) | st.none())
    def pay_on_condition(self, pair: tuple[str, str], amount: int, by: int, least: int | None) -> None:
        version = max(self.model.accounts[pair[0]].entries + by, 0) if least is None else None
        least = None if least is None else self.model.available(pair[0]) + least
        request = self._transfer(
            pair, amount, conditions=Conditions(version=version, available_at_least_minor=least)
        )
        expected = self.model.pay(*pair, amount, version, least)
        assert self.post(request) == [expected]

    @rule(pair=pairs, amount=amounts, tolerance=st.sampled_from([0, 0, 5]), many=st.booleans(), lasts=places)
    def authorise(self, pair: tuple[str, str], amount: int, tolerance: int, many: bool, lasts: int) -> None:
        kept = ModelHold(*pair, amount, tolerance, many, expires=self.model.now + lasts % 60)
        request, expected = self._try_hold(kept)
        assert self.post(request) == [expected]

    @precondition(lambda self: self.placed)
    @rule(place=places, part=st.sampled_from([1, 2, 3]), more=st.integers(0, 6), final=st.booleans())
    def capture(self, place: int, part: int, more: int, final: bool) -> None:
        request, kept = self.placed[place % len(self.placed)]
        amount = max(kept.amount // part, 1) + more
        expected = self.model.capture(kept, amount, final=final)
        assert self.post(capture(request, amount, final=final, client_id=self.client)) == [expected]

    @precondition(lambda self: self.placed)
    @rule(place=places)
    def void(self, place: int) -> None:
        request, kept = self.placed[place % len(self.placed)]
        assert self.post(void(request)) == [self.model.void(kept)]

    @rule(seconds=st.integers(1, 40))
    def let_time_pass(self, seconds: int) -> None:
        self.model.now += seconds
        self.clock.at = self.start + timedelta(seconds=self.model.now)

    @rule()
    def expire(self) -> None:
        expired = self.world.transact(partial(expire_holds, clock=self.clock, new_id=uuid7))
        assert expired == self.model.expire()

    @precondition(lambda self: any(word(outcome) == "completed" for _, outcome in self.asked))
    @rule(place=places, amount=amounts)
    def reverse(self, place: int, amount: int) -> None:
        posted = [request for request, outcome in self.asked if word(outcome) == "completed"]
        first = posted[place % len(posted)]
        pair, amount = (first.creditor, first.debtor), min(amount, first.amount_minor)
        back = self._transfer(pair, amount, kind=PostingKind.REVERSAL, reverses=first.payment_id)
        assert self.post(back) == [self.model.reverse(*pair, amount)]

    @rule(pair=pairs, amount=amounts, place=places, kept=st.integers(1, 40))
    def ask_several_at_once(self, pair: tuple[str, str], amount: int, place: int, kept: int) -> None:
        """A batch in which each sees what those before it did."""
        asked, expected = [self._transfer(pair, amount)], [self.model.pay(*pair, amount)]
        for request, foreseen in (
            self._try_hold(ModelHold(*pair, kept, 0, many=False, expires=self.model.now + 10)),
            self._try_hold(ModelHold(*pair[::-1], kept, 0, many=True, expires=self.model.now + 10)),
        ):
            asked.append(request)
            expected.append(foreseen)
        if self.placed:
            request, held = self.placed[-1 - place % len(self.placed)]
            expected += [self.model.capture(held, kept, final=False), self.model.void(held)]
            first = capture(request, kept, client_id=self.client)
            assert self.post(*asked, first, void(request)) == expected
        else:
            assert self.post(*asked) == expected

    @rule(name=names, state=st.sampled_from([*STATES, *["ACTIVE"] * 3]))
    def set_state(self, name: str, state: str) -> None:
        command = ChangeState(
            client_id=self.client, account=name, state=AccountState(state), reason="R", origin=ORIGIN
        )
        told = "moved"
        try:
            self.world.transact(partial(change_state, command=command, clock=self.clock))
        except IllegalStateChange:
            told = "illegal"
        except AccountNotEmpty:
            told = "not_empty"
        assert told == self.model.set_state(name, state)

    @rule(name=names, overdraft=st.integers(0, 80))
    def set_overdraft(self, name: str, overdraft: int) -> None:
        command = ChangeOverdraft(
            client_id=self.client, account=name, overdraft_minor=overdraft, reason="R", origin=ORIGIN
        )
        told = "set"
        try:
            self.world.transact(partial(change_overdraft, command=command, clock=self.clock))
        except AccountIsClosed:
            told = "closed"
        except OverdraftInUse:
            told = "in_use"
        assert told == self.model.set_overdraft(name, overdraft)

    @precondition(lambda self: self.asked)
    @rule(place=places, how_many=st.integers(1, 5))
    def ask_again(self, place: int, how_many: int) -> None:
        """What was answered is answered the same; that nothing moves is seen by the look that follows."""
        start = place % len(self.asked)
        self._ask_again(self.asked[start : start + how_many])

    def _ask_again(self, asked: list[tuple[PostingRequest, Outcome]]) -> None:
        requests = [request for request, _ in asked]
        again = self.world.transact(lambda c: post_batch(c, requests, clock=self.clock, new_id=uuid7))
        assert list(again) == [outcome for _, outcome in asked]

    # Where both stand.

    @invariant()
    def stands_as_the_model_does(self) -> None:
        self.world.steps += 1
        accounts, holds = self._look()
        assert sum(entries for *_, entries in accounts.values()) == 0
        for name, account in self.model.accounts.items():
            posted, held, overdraft, state, version, open_holds, entries = accounts[name]
            assert posted == entries
            assert held == open_holds >= 0
            assert (posted, held, overdraft, state, version) == (
                account.posted,
                self.model.held(name),
                account.overdraft,
                account.state,
                account.entries,
            )
            assert posted - held + overdraft == self.model.available(name) >= 0
        assert holds == {
            str(request.payment_id): [kept.state, kept.captured] for request, kept in self.placed
        }
        assert all(kept.times_ended == (kept.state != "OPEN") for _, kept in self.placed)

    def _look(self) -> list[dict[str, Any]]:
        """Accounts and holds, read rather than as text: a table's rows have no order."""
        row = self.world.runner.run(self.world.onlooker.fetchrow(LOOK, self.client))
        assert row is not None, "an aggregate has a row"
        return [json.loads(text) for text in row]

    def teardown(self) -> None:
        """In the end every hold is resolved, and everything that was asked is answered as it was."""
        self.let_time_pass(3600)
        self.expire()
        self.stands_as_the_model_does()
        assert all(kept.state != "OPEN" for _, kept in self.placed)
        self.uses_what_the_model_does()
        before = self._look()
        self._ask_again(self.asked)
        assert self._look() == before


def test_the_ledger_does_what_the_model_does(world: World) -> None:
    run_state_machine_as_test(
        partial(LedgerMachine, world),  # type: ignore[arg-type]  # what makes a machine will do
        settings=settings(
            max_examples=SEQUENCES + 10,  # a few end before their last step
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    assert world.steps >= SEQUENCES * STEPS, "so many sequences of so many steps were to be walked"
