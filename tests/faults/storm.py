"""A storm of retries: clients that ask again at once, several times as often as the services can answer."""

import asyncio
import json
import sys
from dataclasses import asdict

from testkit.waiting import eventually

from .arena import Arena
from .journal import Intent, now
from .loading import ROOT
from .races import RAW
from .registry import fault
from .storming import Plan, Result

CAPACITY_S, STORM_S = 6.0, 10.0
# Whoever has begun shall be under way before anything is counted.
WARM_S = 2.0
# The more wait, the more a commit is shared by; how many do best depends on the machine.
PATIENT, IMPATIENT_S = (400, 1200), 0.5
TIMES_CAPACITY = 4
# What is asked of the services; judged here, in the report, where the machine is known.
GOODPUT, RECOVERED_S = 0.8, 60.0


@fault(timeout_s=180)
async def retry_storm(arena: Arena) -> None:
    """Clients without patience ask again at once, four times as often as the services can settle: they go on
    settling at 80% of what they can, and are as before within a minute."""
    accounts = [f"STORM-{number:03}" for number in range(100)]
    async with arena.without_load():
        await arena.payer.open_accounts(accounts, balance_minor=1_000_000)
        in_peace = {clients: await _capacity(arena, accounts, clients) for clients in PATIENT}
        best = max(in_peace, key=lambda clients: in_peace[clients])
        clients = int(TIMES_CAPACITY * in_peace[best] * IMPATIENT_S)
        stormy = await _run(arena, accounts, "storm", clients=clients, timeout_s=IMPATIENT_S, seconds=STORM_S)
        ended = now()
        arena.fired(sum(stormy.answers.values()) - stormy.paid)
        goodput = await _settled_per_s(arena, stormy)
        await _as_before(arena)
        recovered_s = now() - ended
        await _all_ended(arena)
        # Twice, because others may use the machine meanwhile.
        capacity = (in_peace[best] + await _capacity(arena, accounts, best)) / 2
    asked = sum(stormy.answers.values()) / (stormy.ended - stormy.began)
    arena.note(
        f"retry storm: {capacity:.0f} settled a second in peace, {goodput:.0f} ({goodput / capacity:.0%}) "
        f"while {clients} clients asked {asked:.0f} times a second; as before after {recovered_s:.1f} s; "
        f"answers {stormy.answers}"
    )
    if goodput < GOODPUT * capacity:
        arena.wrong(f"a storm of retries left {goodput / capacity:.0%} of {capacity:.0f} settled a second")
    if recovered_s > RECOVERED_S:
        arena.wrong(f"a storm of retries was felt for {recovered_s:.0f} s")


async def _capacity(arena: Arena, accounts: list[str], clients: int) -> float:
    """What is settled a second when so many clients ask and wait for their answers."""
    calm = await _run(arena, accounts, "calm", clients=clients, timeout_s=10.0, seconds=CAPACITY_S)
    await _all_ended(arena)
    return await _settled_per_s(arena, calm)


async def _run(
    arena: Arena, accounts: list[str], what: str, *, clients: int, timeout_s: float, seconds: float
) -> Result:
    plan = Plan(
        name=f"{RAW}{arena.payer.key(what)}",
        port=arena.stack.ports.api("transaction"),
        api_key=arena.stack.credentials.api_keys["demo"],
        accounts=accounts,
        clients=clients,
        timeout_s=timeout_s,
        seconds=seconds,
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.storming"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said = json.dumps(asdict(plan)).encode() + b"\n"
        output, _ = await asyncio.wait_for(process.communicate(said), seconds + timeout_s + 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Result(**json.loads(output))


async def _settled_per_s(arena: Arena, run: Result) -> float:
    """Payments that reached SETTLED a second, while it was going on at full strength."""
    since, until = run.began + WARM_S, run.ended
    async with arena.auditor() as connection:
        count = await connection.fetchval(
            "SELECT count(*) FROM transaction.payment_states WHERE status = 'SETTLED' "
            "AND updated_at BETWEEN to_timestamp($1) AND to_timestamp($2)",
            since,
            until,
        )
    return float(count / (until - since))


async def _all_ended(arena: Arena) -> None:
    """Returns once no payment is under way."""
    async with arena.auditor() as connection:

        async def none_left() -> bool:
            left = await connection.fetchval(
                "SELECT count(*) FROM transaction.payment_states WHERE status IN ('PENDING', 'APPROVED')"
            )
            return bool(left == 0)

        await eventually(none_left, timeout_s=RECOVERED_S, every_s=0.1)


async def _as_before(arena: Arena) -> None:
    """Returns once a payment is settled within a second of being asked for."""
    accounts = ("STORM-000", "STORM-001")

    async def at_once() -> bool:
        began = now()
        told = await arena.payer.pay(Intent(arena.payer.key("after-storm"), *accounts, 1), wait_s=10)
        return told.told == "SETTLED" and now() - began < 1.0

    await eventually(at_once, timeout_s=2 * RECOVERED_S, every_s=0.1)
