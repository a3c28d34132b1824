"""The README's first payment runs as it stands there, but for the ports and the folder of a test's stack."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from florin.ports import DEFAULT_BASE, Ports
from florin.services import SERVICES
from testkit.stacks import RunningServices

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
TIMEOUT_S = 60


def _example(running: RunningServices) -> str:
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    block = next(block for block in blocks if "curl" in block)
    written, served = Ports(DEFAULT_BASE), running.surroundings.ports
    for service in SERVICES:
        block = block.replace(f"{written.api(service)}/", f"{served.api(service)}/")
    return block.replace(".run/", f"{running.surroundings.run_dir}/")


async def _run(script: str) -> list[dict[str, Any]]:
    """The answers, one JSON object a line."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE
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


async def test_the_ports_of_the_readme_are_those_of_a_stack() -> None:
    ports = Ports(DEFAULT_BASE)
    for service in SERVICES:
        row = next(line for line in README.splitlines() if line.startswith(f"| {service}:"))
        assert row.endswith(f"| {ports.api(service)} | {ports.internal(service)} |")
    for port in (ports.postgres, ports.amqp, ports.amqp_management, ports.redis):
        assert str(port) in README
