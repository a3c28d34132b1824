"""Commands that the documents tell a person to type: they parse, and what they name is there."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import typer
import yaml
from florin.cli import app
from florin.provision import AUDITOR
from testkit.databases import connect
from testkit.stacks import RunningServices

from .test_documents import PAGES, ROOT, every_page

# Whatever a person has to put in: it passes for an id, a name, a hash and a reason.
ANYTHING = str(UUID(int=0))
# A sentence may leave out what its reader knows.
LACKS = {"MissingParameter", "BadOptionUsage"}
COMPOSE = ("docker", "compose", "-f", "deploy/compose.yml")
WITH_A_VALUE = {"--profile", "--tail", "--scale", "--entrypoint", "--project-name", "-f"}
Words = Sequence[str]


def commands(script: str) -> Iterator[Words]:
    """The words of each command of a piece of shell; `<what is to be put in>` is put in."""
    script = re.sub(r"<[a-z][^<>\n]*>", ANYTHING, script.replace("\\\n", " "))
    script = re.sub(r"(^|\s)#\s.*$", "", script, flags=re.MULTILINE)
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";|&()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t", "", True
    words: list[str] = []
    for token in lexer:
        if set(token) <= set(";|&()\n"):
            yield words
            words = []
        else:
            words.append(token)
    yield words


def quoted(page: Path) -> Iterator[tuple[Words, bool]]:
    """Each command of the page's code, and whether it stands in a block, whole and ready to be copied."""
    text = page.read_text()
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from ((words, True) for words in commands(block))
    without_blocks = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`\n]+)`", without_blocks):
        if re.match(r"(\.venv/bin/|deploy/k8s/)?(florin|docker|kubectl)\s", code):
            yield from ((words, False) for words in commands(code))


def florin_words(words: Words) -> Words | None:
    """What `florin` is told, wherever it is run; None for another command."""
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[:1] in (["florin"], [".venv/bin/florin"]):
        return words[1:]
    if words[:1] == ["deploy/k8s/florin"]:
        return words[2:]
    if tuple(words[:4]) == COMPOSE and words[4:7] == ["run", "--rm", "florin"]:
        return words[7:]
    return None


def error_of(words: Words) -> tuple[str, str] | None:
    """What the command line would say against these words: the kind of error, and its text."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while inner := getattr(command, "commands", None):
        if not rest:
            return "MissingParameter", "of a group of commands one must be named"
        name = rest.pop(0)
        if name not in inner:
            return "NoSuchCommand", name
        command = inner[name]
    try:
        with command.make_context(command.name, rest):
            return None
    except typer.TyperException as error:
        return type(error).__name__, str(error)


@every_page
def test_every_florin_command_can_be_typed_as_it_stands(page: Path) -> None:
    """In a block it is whole; in a sentence it may lack what the reader knows, and no option is made up."""
    for words, whole in quoted(page):
        told = florin_words(words)
        if not told or "…" in told or told == ["COMMAND"]:
            continue
        wrong = error_of(told)
        assert wrong is None or (not whole and wrong[0] in LACKS), f"{' '.join(told)}: {wrong}"


@every_page
def test_every_service_of_compose_exists(page: Path) -> None:
    services = yaml.safe_load((ROOT / "deploy/compose.yml").read_text())["services"].keys()
    for words, _ in quoted(page):
        if tuple(words[:4]) != COMPOSE:
            continue
        named = _services_named(words[4:])
        assert named <= services, f"{' '.join(words)}: {named - services}"


def _services_named(words: Words) -> set[str]:
    """Those that a compose command is about."""
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "--scale":
            found.append(rest[0].partition("=")[0])
        if word in WITH_A_VALUE:
            rest.pop(0)
        elif not word.startswith("-"):
            found.append(word)
    scaled = {one for one in found if f"{one}=" in " ".join(words)}
    operands = [one for one in found if one not in scaled]
    if operands[:1] in (["exec"], ["run"]):
        return scaled | set(operands[1:2])
    return scaled | set(operands[1:])


@every_page
def test_every_thing_of_a_cluster_exists(page: Path) -> None:
    """What is ours by its kind too; what an operator makes of ours begins with our name for it."""
    from ..deploy.manifests import overlay

    ours = {(one["kind"].lower(), one["metadata"]["name"]) for one in overlay("production")}
    names = {name for _, name in ours}
    for words, _ in quoted(page):
        if words[:1] != ["kubectl"]:
            continue
        told = " ".join(words)
        if set(words) & {"get", "describe", "logs", "rollout", "scale", "exec", "port-forward", "delete"}:
            assert "-n florin" in told, f"{told}: in which namespace?"
        for kind, name in re.findall(r"\b([a-z]+)/([a-z][a-z-]+)\b", told):
            if kind in {"deployment", "statefulset", "job"}:
                assert (kind, name) in ours, told
            elif kind in {"service", "certificate", "cluster", "secret"}:
                assert any(name == one or name.startswith(f"{one}-") for one in names), told


async def test_every_question_to_the_database_can_be_asked(running: RunningServices) -> None:
    """By the auditor, on schemas as they are now."""
    asked = [
        (page.name, told[1])
        for page in PAGES
        for words, whole in quoted(page)
        if whole and (told := florin_words(words)) and told[0] == "sql"
    ]
    assert len(asked) > 20, "hardly a question was found: this test proves nothing"
    connection = await connect(running.surroundings.role_url(AUDITOR))
    try:
        for page, question in asked:
            try:
                await connection.prepare(question)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{page}: {question}: {error}")
    finally:
        await connection.close()
