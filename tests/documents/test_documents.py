"""What the documents name exists: pages, targets, metrics, variables, tables. Commands: test_commands."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from contracts.catalogue import BY_NAME
from florin import metrics_page
from florin.services import PROCESSES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "libs/*/README.md", "services/*/README.md", "tools/*/README.md")
    for page in ROOT.glob(pattern)
)
# Runbooks are written for these already.
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _code_in(text: str) -> str:
    """Everything in code blocks and between back-ticks."""
    blocks = re.findall(r"^ *```.*?^ *```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", _without_code(text))])


@cache
def _source(*patterns: str) -> str:
    return "\n".join(file.read_text() for pattern in patterns for file in sorted(ROOT.glob(pattern)))


@cache
def _anchors(page: Path) -> set[str]:
    """What a link may name in a page: its headings, as they are shown on the web."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    missing = []
    for path, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", _without_code(page.read_text())):
        target = page.parent / path if path else page
        if path.startswith("https://"):
            continue
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            missing.append(f"{path}#{anchor}")
    assert missing == []


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z0-9-]+)", _code_in(page.read_text()))) <= targets


def test_make_help_shows_every_target_that_is_for_people() -> None:
    """Those with a digit in their name too."""
    written = set(re.findall(r"^([^\s:.#]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\S+)", shown, re.MULTILINE)) == written
    assert len(written) > 20


@cache
def _metrics() -> frozenset[str]:
    return frozenset(metric.name for metric in metrics_page.described())


@every_page
def test_every_metric_exists(page: Path) -> None:
    named = set(re.findall(r"`(florin_[a-z_]+?)(?:\{[^`]*)?`", page.read_text()))
    # A role, and the name of a file that holds a secret.
    assert named - _metrics() - {"florin_auditor", "florin_database_url"} == set()


@every_page
def test_every_variable_exists(page: Path) -> None:
    source = _source(
        "libs/*/src/**/*.py", "services/*/src/**/*.py", "tools/florin/src/**/*.py", "scripts/bootstrap"
    )
    for name in set(re.findall(r"`(FLORIN_[A-Z_]+)`", page.read_text())):
        setting = name.removeprefix("FLORIN_").lower()
        assert name in source or re.search(rf"^    {setting}: ", source, re.MULTILINE), name


@every_page
def test_every_message_type_exists(page: Path) -> None:
    named = set(re.findall(r"florin\.[a-z]+\.[a-z-]+\.v[0-9]+", page.read_text()))
    assert named <= BY_NAME.keys()


@every_page
def test_every_table_in_a_query_exists(page: Path) -> None:
    migrations = _source("services/*/migrations/versions/*.py", "libs/messaging/src/messaging/ddl.py")
    created = set(re.findall(r"CREATE TABLE (\w+)", migrations))
    queried = re.findall(rf"\b(?:FROM|JOIN) (?:{'|'.join(PROCESSES)})\.(\w+)", page.read_text())
    assert set(queried) <= created
