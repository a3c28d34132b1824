"""Clients without patience: a process of its own, for it takes a core.

`python -m tests.faults.storming` reads its plan as one line of JSON and prints what came of it as another.
Each client makes one payment after another and, whenever no answer comes in time or the service is too busy,
asks again at once under the same key.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field

import uvloop

from .calls import Caller
from .journal import now


@dataclass(frozen=True)
class Plan:
    """How many clients, how patient each is, and for how long they go on. `name` begins every key."""

    name: str
    port: int
    api_key: str
    accounts: list[str]
    clients: int
    timeout_s: float
    seconds: float


@dataclass
class Result:
    """What came of it. `answers` by status, 0 for none in time; `ids` are those told for each key."""

    began: float = 0.0
    ended: float = 0.0
    answers: dict[int, int] = field(default_factory=dict)
    keys: int = 0
    paid: int = 0
    doubled: list[str] = field(default_factory=list)


async def storm(plan: Plan) -> Result:
    """All clients, until time is up."""
    result = Result(began=now())
    answers: Counter[int] = Counter()
    deadline = asyncio.get_running_loop().time() + plan.seconds

    async def client(number: int) -> None:
        caller = Caller(plan.port, api_key=plan.api_key, timeout_s=plan.timeout_s)
        # Not all at the very same instant.
        await asyncio.sleep(plan.timeout_s * number / plan.clients)
        made = 0
        while asyncio.get_running_loop().time() < deadline:
            key = f"{plan.name}:{number}:{made}"
            made += 1
            result.keys += 1
            debtor = plan.accounts[(number + made) % len(plan.accounts)]
            creditor = plan.accounts[(number + made + 1) % len(plan.accounts)]
            body = {"debtor": debtor, "creditor": creditor, "amount_minor": 1, "currency": "EUR"}
            while asyncio.get_running_loop().time() < deadline:
                reply = await caller.post("/v1/payments", body, key=key)
                answers[reply.status] += 1
                if reply.status == 202:
                    result.paid += 1
                    break
                if reply.error == "refused":
                    # Only here: a port that refuses answers faster than the loop can ask.
                    await asyncio.sleep(0.05)
        caller.close()

    await asyncio.gather(*(client(number) for number in range(plan.clients)))
    result.ended = now()
    result.answers = dict(answers)
    return result


def main() -> None:
    """The process."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(uvloop.run(storm(plan)))))


if __name__ == "__main__":
    main()
