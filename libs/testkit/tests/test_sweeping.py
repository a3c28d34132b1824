"""What killed test sessions leave behind is swept away by the next ones, which may well begin at once."""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from florin.processes import Identity
from testkit.backing import FOLDER_PREFIX, OWNER_FILE, sweep_abandoned

FILES, SWEEPERS = 2_000, 8


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that no other session looks into."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def abandoned(temporary: Path, name: str) -> Path:
    """The folder of a session that has ended without removing it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    folder = temporary / f"{FOLDER_PREFIX}{name}"
    data = folder / "postgres" / "data" / "base" / "5"
    data.mkdir(parents=True)
    for number in range(FILES):
        (data / str(number)).touch()
    (folder / OWNER_FILE).write_text(json.dumps({"pid": ended.pid, "started_at": 1.0}))
    return folder


def test_sessions_that_begin_at_once_sweep_without_getting_in_each_others_way(temporary: Path) -> None:
    folders = [abandoned(temporary, str(number)) for number in range(5)]
    with ThreadPoolExecutor(SWEEPERS) as pool:
        for sweeping in [pool.submit(sweep_abandoned) for _ in range(SWEEPERS)]:
            sweeping.result()
    assert not [folder for folder in folders if folder.exists()]


def test_what_a_live_session_stands_on_is_left_alone(temporary: Path) -> None:
    folder = abandoned(temporary, "live")
    (folder / OWNER_FILE).write_text(json.dumps(asdict(Identity.of(os.getpid()))))
    sweep_abandoned()
    assert folder.exists()
