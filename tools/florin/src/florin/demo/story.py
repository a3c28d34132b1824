"""The demonstration from its first account to its last figure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from florin.credentials import EVERYDAY
from florin.demo import figures, holding, steps
from florin.demo.sample import make_sample
from florin.demo.tally import Made, Tally, Times
from florin.environment import Surroundings
from florin.errors import StackError
from florin.importing.feed import Source
from florin.importing.progress import Watcher
from florin.importing.runs import import_accounts, import_payments
from florin.importing.sending import Sender
from florin.own_clients import TokenAuth, own_client, token_client

Say = Callable[[str], None]
# The same as that of the run folder's key `demo`, so that whoever has that sees what was played.
CLIENT = "demo"


@dataclass(frozen=True)
class Told:
    """What the demonstration came to."""

    tally: Tally
    bulk_times: Times | None
    single_times: Times | None
    rejects: Path


async def play(surroundings: Surroundings, *, say: Say, watcher: Watcher) -> Told:
    """Feeds everything and waits for its end; raises StackError."""
    made, tally = Made(), Tally()
    content = make_sample()
    folder = surroundings.run_dir / "demo"
    accounts_file, payments_file = content.write(folder)
    since = await figures.server_time(surroundings)
    before = await figures.posting_count(surroundings)
    say("a client of its own, with a key and a token that it gets for it")
    auth = TokenAuth(surroundings, await own_client(surroundings, CLIENT, scopes=EVERYDAY, label="demo"))
    async with (
        token_client(surroundings, "account", auth) as account_api,
        token_client(surroundings, "transaction", auth) as transaction_api,
        token_client(surroundings, "fraud", auth) as fraud_api,
    ):
        accounts, payments, fraud = Sender(account_api), Sender(transaction_api), Sender(fraud_api)
        say(f"{len(content.accounts)} accounts in six currencies")
        opened = await import_accounts(accounts, Source(accounts_file))
        if opened.errors:
            raise StackError(f"accounts were refused: {opened.refused_by}: see {opened.rejects_file}")
        say("two customers, known by mobile number and e-mail address")
        jana = await holding.register(accounts)
        opening = await figures.posting_count(surroundings) - before
        await steps.set_states(accounts)
        say(f"{len(content.payments)} payments from a file, in bulk")
        bulk = await import_payments(payments, Source(payments_file), watcher)
        tally.accepted, tally.replayed, tally.settled = bulk.accepted, bulk.replayed, bulk.settled
        tally.rejected.update(bulk.rejected_by)
        tally.refused.update(bulk.refused_by)
        tally.in_review, tally.bulk_per_second = bulk.in_review, bulk.per_second
        say(f"{len(content.singles)} payments one by one, and {steps.RETRIED} of them again")
        await steps.pay_one_by_one(payments, content.singles, tally, made)
        await steps.count_singles(payments, made, tally)
        say("requests that are refused at the door")
        await steps.try_the_door(payments, content.singles, tally)
        say("reversals: whole, in parts, and one too large")
        await steps.reverse(payments, content.singles, tally, made)
        say("holds: one captured in part and the rest released, one given up")
        await holding.hold(payments, tally)
        say("a customer pays another by mobile number")
        await holding.pay_by_number(payments, jana, tally)
        say("reviews: a person approves some and declines some")
        await steps.decide_reviews(payments, fraud, tally)
    tally.postings_added = await figures.posting_count(surroundings) - before - opening
    return Told(
        tally,
        await figures.times_to_settlement(surroundings, since=since, singles=made.new, of_singles=False),
        await figures.times_to_settlement(surroundings, since=since, singles=made.new, of_singles=True),
        folder / "payments.rejects.csv",
    )
