"""docs/faults.md says what the faults say of themselves."""

from pathlib import Path

from .catalogue import FAMILIES, FAULTS
from .registry import SKIPPED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
# The page is the same on every machine.
EVERY = (*FAULTS.values(), *SKIPPED.values())


def test_the_page_tells_every_fault_in_its_own_words() -> None:
    page = PAGE.read_text()
    missing = [row for row in (f"| {one.name} | {one.what} |" for one in EVERY) if row not in page]
    assert missing == []


def test_the_page_tells_of_no_fault_that_does_not_exist() -> None:
    told = {line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    assert told - {one.name for one in EVERY} - {"fault"} == set()


def test_every_family_has_a_fault() -> None:
    families = {family.__name__.rpartition(".")[2] for family in FAMILIES}
    assert {one.family for one in EVERY} == families
