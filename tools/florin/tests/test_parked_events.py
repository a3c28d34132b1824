"""Parked events are decided by a person; what was sent can be sent again and moves nothing twice."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from florin import parked_events
from florin.commands.parked import read_moment
from florin.errors import StackError
from florin.parked_events import Decision
from florin.services import SERVICES
from testkit.databases import connect
from testkit.stacks import RunningServices
from testkit.waiting import eventually

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_distance_or_names_its_offset(text: str, moment: datetime) -> None:
    """Both as a person in a hurry writes them."""
    assert read_moment(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "0m", "-5m", "5 m", "2026-11-20T10:00:00", "15"])
def test_any_other_time_is_refused(text: str) -> None:
    """A wrong guess would send days of events."""
    with pytest.raises(StackError):
        read_moment(text, now=NOW)


@pytest.fixture(scope="module")
def running(own_running: RunningServices) -> RunningServices:
    """Their own: events are parked by hand, and all postings are counted."""
    return own_running


async def _execute(running: RunningServices, statement: str, *values: object) -> str:
    connection = await connect(running.database("account").admin_url)
    try:
        return str(await connection.execute(statement, *values))
    finally:
        await connection.close()


async def _value(running: RunningServices, query: str, *values: object) -> object:
    connection = await connect(running.database("account").admin_url)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def _park(running: RunningServices) -> UUID:
    """An event in account that no handler will ever take: its data says nothing."""
    event_id = uuid4()
    body = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/florin/transaction",
        "type": "florin.posting.requested.v1",
        "subject": str(uuid4()),
        "time": "2026-11-21T12:00:00Z",
        "sequence": "1",
        "data": {},
    }
    await _execute(
        running,
        "INSERT INTO account.parked (event_id, type, subject, body, reason, detail) "
        "VALUES ($1, $2, $3, $4, 'invalid_data', 'nothing in it')",
        event_id,
        body["type"],
        body["subject"],
        json.dumps(body),
    )
    return event_id


async def test_parked_events_are_listed_with_whose_they_are(running: RunningServices) -> None:
    """Of all services, or of one."""
    event_id = await _park(running)
    found = await parked_events.listed(running.surroundings, SERVICES, statuses=("parked",), limit=10)
    assert ("account", event_id) in {(one.service, one.event.event_id) for one in found}
    assert not await parked_events.listed(running.surroundings, ["fraud"], statuses=("parked",), limit=10)
    (shown,) = await parked_events.one(running.surroundings, SERVICES, event_id)
    assert (shown.service, shown.event.reason) == ("account", "invalid_data")


async def test_a_discarded_event_is_given_up_with_author_and_note(running: RunningServices) -> None:
    """Once: the second decision finds it decided."""
    event_id = await _park(running)
    decision = Decision(replay=False, author="eve", note="sent by mistake")
    done = await parked_events.decide(running.surroundings, SERVICES, [event_id], decision)
    assert done == {"account": [event_id]}
    assert await parked_events.decide(running.surroundings, SERVICES, [event_id], decision) == {}
    told = await _value(
        running,
        "SELECT action || ' ' || author || ' ' || note FROM account.parked_actions WHERE event_id = $1",
        event_id,
    )
    assert told == "discard eve sent by mistake"


@pytest.mark.parametrize("given_up", [False, True])
async def test_a_replayed_event_is_handled_again_by_the_service(
    running: RunningServices, given_up: bool
) -> None:
    """This one cannot be handled, so it comes back, with the service's own word for why. What was given up by
    mistake has this way back, when it is named."""
    event_id = await _park(running)
    if given_up:
        mistake = Decision(replay=False, author="eve", note="sent by mistake")
        await parked_events.decide(running.surroundings, SERVICES, [event_id], mistake)
        assert event_id not in await parked_events.all_parked(running.surroundings, SERVICES)
    decision = Decision(replay=True, author="eve", note="try again")
    done = await parked_events.decide(running.surroundings, SERVICES, [event_id], decision)
    assert done == {"account": [event_id]}

    async def parked_again() -> bool:
        query = (
            "SELECT status = 'parked' AND detail <> 'nothing in it' FROM account.parked WHERE event_id = $1"
        )
        return bool(await _value(running, query, event_id))

    await eventually(parked_again, timeout_s=15)


async def test_what_was_sent_is_sent_again_and_moves_nothing_twice(running: RunningServices) -> None:
    """Every inbox knows it."""
    accounts, payments = running.client("account"), running.client("transaction")
    for account, balance in (("R-A", 500), ("R-B", 0)):
        body = {"account": account, "holder": "R", "currency": "EUR", "opening_balance_minor": balance}
        await accounts.post("/v1/accounts", json=body, headers={"Idempotency-Key": account})
    body = {"debtor": "R-A", "creditor": "R-B", "amount_minor": 100, "currency": "EUR"}
    paid = await payments.post(
        "/v1/payments", json=body, headers={"Idempotency-Key": "r", "Prefer": "wait=20"}
    )
    assert paid.json()["status"] == "SETTLED"

    async def all_sent() -> bool:
        query = " UNION ALL ".join(f"SELECT * FROM {one}.outbox_unsent" for one in SERVICES)
        return await _value(running, f"SELECT count(*) FROM ({query}) unsent") == 0

    await eventually(all_sent)
    since = datetime.now(UTC) - timedelta(minutes=5)
    counts = await parked_events.redrive(running.surroundings, SERVICES, since=since)
    assert counts["transaction"] >= 3
    assert counts["account"] >= 1
    # The service's relay finds them by itself, without a nudge.
    await eventually(all_sent, timeout_s=20)
    assert await _value(running, "SELECT count(*) FROM account.postings WHERE kind = 'transfer'") == 1
    assert (await accounts.get("/v1/accounts/R-B")).json()["posted_minor"] == 100
    later = await parked_events.redrive(running.surroundings, SERVICES, since=datetime.now(UTC))
    assert set(later.values()) == {0}


async def test_dead_queues_of_all_services_can_be_driven_again(running: RunningServices) -> None:
    """Nothing lies in them here; what does is the messaging library's own test."""
    counts = await parked_events.redrive_dead_letters(running.surroundings, SERVICES)
    assert counts == dict.fromkeys(SERVICES, 0)
