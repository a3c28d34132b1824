"""A consumer that is killed while it works leaves its batch to the next one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from messaging import broker
from messaging.topology import depths
from testkit.bus import Bench, payment_initiated, running
from testkit.waiting import eventually

DYING = Path(__file__).parent / "dying_process.py"


def run_dying(bench: Bench) -> None:
    """Run a consumer in a process of its own that SIGKILLs itself in the middle of its first batch."""
    environment = {
        **os.environ,
        "DATABASE_URL": bench.url,
        "BROKER_URL": bench.broker_url,
        "NAMESPACE": bench.topology.namespace,
        "KEYRING": str(bench.keyring_path),
    }
    done = subprocess.run(
        [sys.executable, str(DYING), "consumer-in-transaction"],
        env=environment,
        timeout=30,
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


async def test_a_consumer_that_dies_before_its_commit_loses_nothing(bench: Bench) -> None:
    """Nothing is acknowledged before its effect is committed, so the broker delivers it again."""
    await bench.add([payment_initiated() for _ in range(100)])
    await bench.relay().relay_once()
    run_dying(bench)
    assert await bench.scalar("SELECT count(*) FROM effects") == 0, "it died too late: the effect stands"
    async with running(bench.consumer()):
        await eventually(lambda: has_all(bench))
    async with broker.open_channel(bench.broker_url, name="test") as channel:
        assert set((await depths(channel, bench.topology)).values()) == {0}


async def has_all(bench: Bench) -> bool:
    """Whether each of the hundred has taken effect."""
    return int(await bench.scalar("SELECT count(*) FROM effects")) == 100
