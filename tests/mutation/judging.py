"""Runs named tests on the copy and says what came of them: red by a failed test is the only proof."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from .copied_tree import CopiedTree

# What code raises that does not run at all, whichever safeguard it has.
_BROKEN = ("SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError", "NameError")
_SHOWN = 200


class Verdict(StrEnum):
    """What a run of tests came to."""

    KILLED = "killed"  # a test failed
    SURVIVED = "survived"  # all passed
    BROKEN = "broken"  # a test could not begin, or the code does not run at all
    NOT_RUN = "not run"  # skipped, or there is no such test
    TOO_LONG = "too long"  # no end in time: that is no proof
    STALE = "stale"  # the mutant does not fit the code any more


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict; `red` names the tests that failed and `told` is what the first of them said."""

    verdict: Verdict
    seconds: float
    told: str = ""
    red: Sequence[str] = field(default_factory=tuple)


def run(tree: CopiedTree, tests: Sequence[str], *, limit_s: float, stop_at_first: bool = True) -> Judgement:
    """Run the tests in a session of their own and judge them; nothing of it outlives the limit."""
    report = tree.root / "junit.xml"
    report.unlink(missing_ok=True)
    # Not "slow" by default: what is named here runs, whatever it is marked as.
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", *(["-x"] if stop_at_first else [])]
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree.root,
        env=tree.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return Judgement(Verdict.TOO_LONG, time.monotonic() - began, f"no end within {limit_s:.0f} s")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return judge(report, output, time.monotonic() - began)


def judge(report: Path, output: str, seconds: float) -> Judgement:
    """What pytest wrote about a run, and its output, come to."""
    last = output.strip().rpartition("\n")[2][:_SHOWN]
    try:
        cases = list(ET.parse(report).iter("testcase"))
    except (OSError, ET.ParseError):
        return Judgement(Verdict.BROKEN, seconds, last)
    failed = [(case.get("name", ""), found) for case in cases if (found := case.find("failure")) is not None]
    if errors := [found for case in cases if (found := case.find("error")) is not None]:
        # Before or after the test, or while it was looked for: that is not the test's own finding.
        return Judgement(Verdict.BROKEN, seconds, _said(errors[0]))
    if failed:
        told = _said(failed[0][1])
        verdict = Verdict.BROKEN if told.startswith(_BROKEN) else Verdict.KILLED
        return Judgement(verdict, seconds, told, tuple(name for name, _ in failed))
    if not cases or any(case.find("skipped") is not None for case in cases):
        return Judgement(Verdict.NOT_RUN, seconds, last)
    return Judgement(Verdict.SURVIVED, seconds, last)


def _said(found: ET.Element) -> str:
    return " ".join((found.get("message") or "").split())[:_SHOWN]
