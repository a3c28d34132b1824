"""The examples in docs/reading-a-frame.md run as they stand there and print what it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "reading-a-frame.md").read_text()
TIMEOUT_S = 30


def _block(language: str, number: int = 0) -> str:
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return blocks[number]


def _run(*command: str, given: str) -> str:
    done = subprocess.run(
        command, input=given, cwd=DOCS, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    )
    return done.stdout


def test_the_shell_example_computes_the_golden_signature() -> None:
    if shutil.which("openssl") is None or shutil.which("xxd") is None:
        pytest.skip("the example needs openssl and xxd")
    assert _run("bash", "-euo", "pipefail", given=_block("sh")) == _block("text", 0)


def test_the_python_example_reads_the_golden_frame_with_the_standard_library_alone() -> None:
    # Isolated and without site packages: nothing of ours can help.
    assert _run(sys.executable, "-I", "-S", "-", given=_block("python")) == _block("text", 1)


def test_the_python_example_is_short() -> None:
    assert len(_block("python").splitlines()) <= 25


@pytest.mark.parametrize(
    ("old", "new"),
    [('body.bin").read_bytes()', "body.bin\").read_bytes() + b' '"), ("florin-frame-v1", "florin-frame-v2")],
)
def test_the_python_example_refuses_what_was_altered(old: str, new: str) -> None:
    altered = _block("python").replace(old, new)
    assert altered != _block("python")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-"],
        input=altered,
        cwd=DOCS,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the signature does not fit" in done.stderr
