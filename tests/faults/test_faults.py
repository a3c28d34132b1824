"""A short walk through a choice of the faults: load, arena and reckoning are those of `make faults`."""

import random
from pathlib import Path

import pytest
from testkit.backing import Backing

from . import report
from .arena import Pace
from .catalogue import FAULTS
from .director import run
from .outcome import Order

SHORT = Pace(stopped_s=1.0, services=1, calm_answers=10)


@pytest.mark.alone
async def test_payments_survive_faults_under_load(backing: Backing, tmp_path: Path) -> None:
    """Nothing is lost, doubled or altered, whatever dies, and every fault did happen."""
    seed = random.randrange(1_000_000)
    print(f"repeat this with: python -m tests.faults --seed {seed}")
    chosen = [fault for fault in FAULTS.values() if fault.short]
    outcome = await run(Order(faults=chosen, seed=seed, pace=SHORT, folder=tmp_path), backing)
    assert outcome.failures == []
    assert all(count > 0 for count in report.fired(outcome).values())
    assert outcome.findings.payments > 1_000
