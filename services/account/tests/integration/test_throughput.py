"""How many postings a second one connection makes in batches of 200; printed, and held to a floor."""

import random
from time import perf_counter

import pytest

from .bank import Bank, name, terms, transfer

BATCH, BATCHES = 200, 40
# Far below what any machine reaches alone: it is to catch a lost index or a plan gone wrong, not a busy host.
FLOOR_PER_S = 500


@pytest.mark.slow
async def test_a_hot_account_is_posted_as_fast_as_many(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = name("speed")
    for start in range(0, 2_000, 1_000):
        items = [terms(f"{prefix}-{n}", overdraft_minor=10**9) for n in range(start, start + 1_000)]
        assert (await bank.send("POST", "/v1/accounts/batches", {"accounts": items})).json()[
            "opened"
        ] == 1_000
    dice = random.Random(1)

    async def rate(*, hot: bool) -> float:
        batches = []
        for _ in range(BATCHES):
            pairs = [dice.sample(range(1, 2_000), 2) for _ in range(BATCH)]
            batches.append([transfer(f"{prefix}-{0 if hot else a}", f"{prefix}-{b}", 5) for a, b in pairs])
        await bank.post(*batches.pop())
        started = perf_counter()
        for batch in batches:
            await bank.post(*batch)
        return BATCH * len(batches) / (perf_counter() - started)

    many = max([await rate(hot=False) for _ in range(2)])
    one = max([await rate(hot=True) for _ in range(2)])
    with capsys.disabled():
        print(
            f"\npostings/s in batches of {BATCH}: {many:,.0f} on many accounts, {one:,.0f} on one hot account"
        )
    assert many > FLOOR_PER_S
    assert one > 0.7 * many
