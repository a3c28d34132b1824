"""Every mutant fits the code as it is: what does not is found here, and not only when they are run."""

import re
from pathlib import Path

import pytest

from .judging import Verdict, judge
from .mutants import FOLDER, ROOT, Edit, Mutant, Stale, complaint, load

MUTANTS = load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_its_test_exists(mutant: Mutant) -> None:
    """Change the mutant along with the code that it takes its safeguard out of."""
    assert complaint(mutant) is None


def test_a_mutant_is_told_well() -> None:
    """By a name that can be typed, in a sentence that says what is at stake, and once."""
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", mutant.name) for mutant in MUTANTS)
    assert all(mutant.why.endswith(".") for mutant in MUTANTS)
    assert len({mutant.safeguard for mutant in MUTANTS}) == len(MUTANTS) >= 30


def test_what_is_not_there_once_is_stale(tmp_path: Path) -> None:
    """Neither a text that is gone nor one that stands twice is a safeguard that can be taken out."""
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    for old in ("three", "two"):
        with pytest.raises(Stale):
            Mutant("m", "s", "w", "t", (Edit("a.py", old, "x"),)).applied(tmp_path)
    with pytest.raises(Stale):
        Mutant("m", "s", "w", "t", (Edit("gone.py", "one", "x"),)).applied(tmp_path)


@pytest.mark.parametrize(
    ("edit", "test", "told"),
    [
        (Edit("a.py", "return 1", "return ("), "test_a.py::test_it", "would not run"),
        (Edit("a.py", "return 1", "return unknown"), "test_a.py::test_it", "would not run"),
        (Edit("a.py", "return 1", "return 2"), "test_a.py::test_other", "has no test"),
        (Edit("a.py", "return 1", "return 2"), "test_b.py::test_it", "there is no"),
    ],
)
def test_a_mutant_that_proves_nothing_is_refused(tmp_path: Path, edit: Edit, test: str, told: str) -> None:
    """Code that does not run turns any test red; a test that is not there turns none."""
    (tmp_path / "a.py").write_text("def one():\n    return 1\n")
    (tmp_path / "test_a.py").write_text("def test_it():\n    pass\n")
    assert told in str(complaint(Mutant("m", "s", "w", test, (edit,)), tmp_path))
    assert complaint(Mutant("m", "s", "w", "test_a.py::test_it", (Edit("a.py", "1", "2"),)), tmp_path) is None


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        ("", Verdict.SURVIVED),
        ('<failure message="AssertionError: 2 of 1"/>', Verdict.KILLED),
        ('<failure message="ImportError: no name"/>', Verdict.BROKEN),
        ('<error message="failed on setup"/>', Verdict.BROKEN),
        ('<skipped message="no broker"/>', Verdict.NOT_RUN),
    ],
)
def test_only_a_failed_test_kills(tmp_path: Path, case: str, verdict: Verdict) -> None:
    """An error before the test, or code that does not run, is no proof that the safeguard is guarded."""
    report = tmp_path / "junit.xml"
    report.write_text(f'<testsuites><testsuite><testcase name="t">{case}</testcase></testsuite></testsuites>')
    assert judge(report, "", 1.0).verdict is verdict
    assert judge(tmp_path / "none.xml", "", 1.0).verdict is Verdict.BROKEN


def test_every_file_here_is_a_mutant() -> None:
    """A misspelt ending would take one out of the run in silence."""
    assert {file.suffix for file in FOLDER.iterdir()} == {".toml"}
    assert all((ROOT / file).is_file() for mutant in MUTANTS for file in mutant.files)
