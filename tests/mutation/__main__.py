"""`python -m tests.mutation`: takes out each safeguard in turn. Exit status 1 unless each is missed."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import typer
from rich.console import Console
from testkit.backing import Backing

from . import report
from .copied_tree import CopiedTree, copied_tree
from .judging import Judgement, Verdict, run
from .mutants import Mutant, complaint, load

BUILD = Path(__file__).resolve().parents[2] / "build"
# Backstops against a mutant that hangs; on a busy machine a test takes many times as long as alone.
LIMIT_S = 180.0
GREEN_LIMIT_S = 600.0


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this mutant; may be given more than once.")
    ] = None,
    lanes: Annotated[int, typer.Option(min=1, max=8, help="How many are taken out side by side.")] = 2,
    listing: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
) -> None:
    """Take out one safeguard after the other and see that its test turns red."""
    console = Console(highlight=False, width=None if os.isatty(1) else 180)
    mutants = load()
    if listing:
        for mutant in mutants:
            console.print(f"[bold]{mutant.name}[/]: {mutant.safeguard}. {mutant.why}")
        return
    unknown = set(only or ()).difference(mutant.name for mutant in mutants)
    if unknown:
        raise typer.BadParameter(f"there is no mutant {', '.join(sorted(unknown))}: see --list")
    chosen = [mutant for mutant in mutants if not only or mutant.name in only]
    began = time.monotonic()
    with _lanes(lanes) as trees:
        _require_green(trees, chosen, console)
        outcome = _judge_all(trees, chosen, console)
    seconds = time.monotonic() - began
    report.show(outcome, console, seconds=seconds)
    # The report of a choice must not pass for that of the whole.
    report.write(outcome, BUILD / ("mutation-chosen.json" if only else "mutation.json"), seconds=seconds)
    if report.killed(outcome) < len(outcome):
        raise typer.Exit(1)


@contextmanager
def _lanes(number: int) -> Iterator[list[CopiedTree]]:
    """Copies of the tree in which tests run beside one another: one broker, and a Postgres for each, because
    roles and their passwords belong to a whole server."""
    with ExitStack() as closing:
        backings = [Backing() for _ in range(number)]
        for backing in backings:
            closing.callback(backing.close)
        broker_url, management_url = backings[0].broker_url, backings[0].broker_management_url
        trees = [
            closing.enter_context(
                copied_tree(
                    database_url=one.database_admin_url,
                    broker_url=broker_url,
                    management_url=management_url,
                )
            )
            for one in backings
        ]
        for tree in trees:
            tree.prove_that_it_runs()
        yield trees


def _require_green(trees: Sequence[CopiedTree], mutants: Sequence[Mutant], console: Console) -> None:
    """With every safeguard in its place the tests pass: else their red would say nothing."""
    began = time.monotonic()
    tests = sorted({mutant.test for mutant in mutants if complaint(mutant, trees[0].root) is None})
    share = -(-len(tests) // len(trees))
    # In runs of neighbours: those of one file share a database.
    shares = [part for start in range(len(trees)) if (part := tests[start * share : (start + 1) * share])]
    with ThreadPoolExecutor(len(trees)) as threads:
        judgements = list(threads.map(_green, trees, shares))
    for judgement in judgements:
        if judgement.verdict is not Verdict.SURVIVED:
            console.print(f"not green with every safeguard in place: {judgement.verdict}", style="red")
            console.print(f"{', '.join(judgement.red)} {judgement.told}", markup=False)
            raise typer.Exit(1)
    seconds = time.monotonic() - began
    console.print(f"{len(tests)} tests are green with every safeguard in place, {seconds:.0f} s")


def _green(tree: CopiedTree, tests: Sequence[str]) -> Judgement:
    return run(tree, tests, limit_s=GREEN_LIMIT_S, stop_at_first=False)


def _judge_all(
    trees: Sequence[CopiedTree], mutants: Sequence[Mutant], console: Console
) -> dict[Mutant, Judgement]:
    free: SimpleQueue[CopiedTree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def judged(mutant: Mutant) -> Judgement:
        tree = free.get()
        try:
            judgement = _judged(tree, mutant)
        finally:
            free.put(tree)
        console.print(f"{judgement.seconds:5.1f} s  {judgement.verdict:9} {mutant.name}", markup=False)
        return judgement

    threads = ThreadPoolExecutor(len(trees))
    try:
        return dict(zip(mutants, threads.map(judged, mutants), strict=True))
    finally:
        # Interrupted, it ends with the tests that run, and not with all that wait.
        threads.shutdown(cancel_futures=True)


def _judged(tree: CopiedTree, mutant: Mutant) -> Judgement:
    if fault := complaint(mutant, tree.root):
        return Judgement(Verdict.STALE, 0.0, fault)
    with tree.without(mutant):
        return run(tree, [mutant.test], limit_s=LIMIT_S)


if __name__ == "__main__":
    typer.run(main)
