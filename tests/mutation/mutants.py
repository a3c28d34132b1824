"""The mutants: each takes one safeguard out of the code, by exact text, and names the test that must notice.

A mutant is a TOML file in `mutants/`:

    safeguard = "what is taken out, in a few words"
    why = "what would happen to money without it"
    test = "path/to/test_file.py::test_name"

    [[edit]]
    file = "path/of/the/source.py"
    old = "text that stands there exactly once"
    new = "text without the safeguard"
"""

import ast
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "mutants"
# What makes code fail by itself, which would turn any test red: bad syntax, names that are not there.
_BROKEN_CODE = "E9,F821,F822,F823"


@dataclass(frozen=True, slots=True)
class Edit:
    """One exact replacement in one file."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The text without the safeguard. Raises `Stale`."""
        found = text.count(self.old)
        if found != 1:
            raise Stale(f"{self.file} holds the text {found} times, not once")
        if self.old == self.new:
            raise Stale(f"the edit of {self.file} changes nothing")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safeguard taken out. `test` is a pytest id: `file::name`, with or without `[parameters]`."""

    name: str
    safeguard: str
    why: str
    test: str
    edits: tuple[Edit, ...]

    @property
    def files(self) -> list[str]:
        """The files that it changes."""
        return list(dict.fromkeys(edit.file for edit in self.edits))

    def applied(self, root: Path) -> dict[Path, str]:
        """What its files hold with the safeguard out, by path; nothing is written. Raises `Stale`."""
        texts: dict[Path, str] = {}
        for edit in self.edits:
            path = root / edit.file
            if not path.is_file():
                raise Stale(f"{edit.file} does not exist")
            texts[path] = edit.applied(texts.get(path) or path.read_text())
        return texts


class Stale(Exception):
    """The mutant does not fit the code any more, so that it says nothing about it."""


def load(folder: Path = FOLDER) -> list[Mutant]:
    """All mutants, by name."""
    return [_read(file) for file in sorted(folder.glob("*.toml"))]


def complaint(mutant: Mutant, root: Path = ROOT) -> str | None:
    """Why the mutant cannot be judged, or None: text gone, code broken, or no such test."""
    try:
        texts = mutant.applied(root)
    except Stale as why:
        return str(why)
    for path, text in texts.items():
        if path.suffix == ".py" and (fault := _broken(text)):
            return f"{path.name} would not run at all: {fault}"
    file, _, name = mutant.test.partition("[")[0].partition("::")
    if not (root / file).is_file():
        return f"there is no {file}"
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.parse((root / file).read_text()).body if isinstance(node, functions)}
    return None if name in names else f"{file} has no test {name}"


def _read(file: Path) -> Mutant:
    content = tomllib.loads(file.read_text())
    return Mutant(
        name=file.stem,
        safeguard=content["safeguard"],
        why=content["why"],
        test=content["test"],
        edits=tuple(Edit(**edit) for edit in content["edit"]),
    )


def _broken(source: str) -> str | None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--quiet",
        f"--select={_BROKEN_CODE}",
    ]
    done = subprocess.run(
        [*command, "--output-format=concise", "-"], input=source, capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr).strip().partition("\n")[0] or None if done.returncode else None
