"""The README's payments run as they stand there, but for the ports and the folder of a test's stack."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from florin.ports import DEFAULT_BASE, Ports
from florin.services import PROCESSES
from testkit.stacks import RunningServices

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
TIMEOUT_S = 60


def _example(running: RunningServices, *, words: tuple[str, ...] = ("curl",)) -> str:
    """The blocks that hold these words, one after the other."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    block = "\n".join(next(block for block in blocks if word in block) for word in words)
    written, served = Ports(DEFAULT_BASE), running.surroundings.ports
    for service in PROCESSES:
        block = block.replace(f"{written.api(service)}/", f"{served.api(service)}/")
    return block.replace(".run/", f"{running.surroundings.run_dir}/")


async def _run(script: str, *, folder: Path | None = None) -> list[dict[str, Any]]:
    """The answers, one JSON object a line."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    async with asyncio.timeout(TIMEOUT_S):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example needs curl")
async def test_the_first_payment_of_the_readme_settles_and_settles_once(running: RunningServices) -> None:
    example = _example(running)
    first = await _run(example)
    again = await _run(example)
    assert [answer.get("account") for answer in first] == ["alice", "bob", None, "bob"]
    assert first[2]["status"] == "SETTLED"
    assert first[3]["posted_minor"] == 1250
    assert again[2]["id"] == first[2]["id"]
    assert again[3] == first[3]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example needs curl")
async def test_the_readmes_hold_is_captured_in_part_and_a_friend_paid_by_number(
    running: RunningServices, tmp_path: Path
) -> None:
    example = _example(running, words=("curl", "captures"))
    await _run(example, folder=tmp_path)
    # Once more, for the friend may have been asked for before payments knew of her.
    *_, jana, stay, bill, lunch = await _run(example, folder=tmp_path)
    assert jana["name"] == "Jana"
    assert stay["capture"] == "manual"
    assert (bill["status"], bill["captures"], bill["amount_minor"]) == ("SETTLED", stay["id"], 4500)
    assert lunch["status"] == "SETTLED"
    balance = await running.client("account").get("/v1/accounts/alice/balance")
    assert (balance.json()["posted_minor"], balance.json()["held_minor"]) == (4250, 0)


async def test_the_ports_of_the_readme_are_those_of_a_stack() -> None:
    ports = Ports(DEFAULT_BASE)
    for service in PROCESSES:
        row = next(line for line in README.splitlines() if line.startswith(f"| {service}:"))
        assert row.endswith(f"| {ports.api(service)} | {ports.internal(service)} |")
    for port in (ports.postgres, ports.amqp, ports.amqp_management, ports.redis):
        assert str(port) in README
