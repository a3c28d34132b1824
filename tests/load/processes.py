"""CPU time and memory of each part of a stack, by name: services, Postgres and RabbitMQ with all children."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import psutil
from florin.processes import Daemon
from florin.stack import Stack

MB = 1024 * 1024


def parts(stack: Stack, more: Mapping[str, Daemon] | None = None) -> dict[str, int]:
    """The first process of each part that runs; `more` are processes the stack does not know."""
    found = {name: daemon.pid for name, daemon in stack.services.daemons.items()}
    found |= {name: stack.backing[name].pid for name in ("postgres", "rabbitmq", "redis")}
    found |= {name: daemon.pid for name, daemon in (more or {}).items()}
    return {name: pid for name, pid in found.items() if pid is not None}


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds each part has used so far, with those of its children, the ended ones too."""
    return {name: _family_cpu_s(pid) for name, pid in pids.items()}


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What each part used between two readings."""
    return {name: round(after[name] - before.get(name, 0.0), 3) for name in after}


def peak_rss_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """The most memory each part has held: of one process the kernel's own peak; of a family the present sum,
    shared pages counted once."""
    peaks = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error, OSError):
            family = _family(pid)
            peaks[name] = round(
                _peak_mb(pid) if len(family) == 1 else sum(_share_mb(one) for one in family), 1
            )
    return peaks


def merge_peaks(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """The greater of each."""
    return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in {**first, **second}}


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _family_cpu_s(pid: int) -> float:
    total = 0.0
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return psutil.Process(pid).memory_info().rss / MB


def _share_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / MB
    except (psutil.Error, AttributeError):
        return 0.0
