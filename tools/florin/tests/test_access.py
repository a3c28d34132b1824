"""Clients and keys by the command line, on an identity service that runs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from florin.ports import Ports
from florin.stack import BASE_VARIABLE, RUN_DIR_VARIABLE
from service_kit.access import ROLES, SCOPES, Role
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services

Florin = Callable[..., str]


@pytest.fixture(scope="module")
def identity(backing: Backing, databases: Databases) -> Iterator[RunningServices]:
    with running_services(backing, databases, names=["identity"]) as started:
        yield started


@pytest.fixture
def florin(identity: RunningServices) -> Florin:
    """Runs the command line on that stack; returns what it printed."""
    surroundings = identity.surroundings
    environment = {
        **os.environ,
        RUN_DIR_VARIABLE: str(surroundings.run_dir),
        BASE_VARIABLE: str(surroundings.ports.base),
        "COLUMNS": "300",
    }

    def run(*words: str, status: int = 0) -> str:
        command = [str(Path(sys.executable).with_name("florin")), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_client_is_registered_gets_keys_and_is_shut_out(florin: Florin) -> None:
    assert "Its first key" in florin("clients", "add", "shop", "-s", "payments:read", "--name", "A shop")
    added = florin("keys", "add", "shop", "--label", "till")
    secret = re.search(r"^flk_([a-z2-7]{8})_\S+$", added, re.MULTILINE)
    assert secret is not None
    rotated = florin("keys", "rotate", "shop", secret[1], "--overlap", "60")
    (fresh,) = re.findall(r"^flk_([a-z2-7]{8})_\S+$", rotated, re.MULTILINE)
    assert "revoked" in florin("keys", "revoke", "shop", secret[1], "-r", "Leaked")
    listed = florin("keys", "list", "shop")
    assert secret[1] in listed
    assert fresh in listed
    assert secret[0] not in listed
    assert "suspended" in florin("clients", "suspend", "shop", "-r", "Unpaid")
    assert "suspended" in florin("clients", "list")
    assert "suspended" in florin("keys", "add", "shop", status=1)
    assert "active" in florin("clients", "resume", "shop", "-r", "Paid")


def test_signing_keys_are_rotated(florin: Florin) -> None:
    states = re.findall(r"\b(next|active|retired)\b", florin("keys", "rotate-signing", "--overlap", "0"))
    assert sorted(states) == ["active", "next", "retired"]


def test_what_cannot_be_done_is_one_clear_line(florin: Florin) -> None:
    told = florin("keys", "rotate", "nobody", "aaaaaaaa", status=1)
    assert told.startswith("florin: There is no such client")
    assert "Traceback" not in told
    assert "is not a scope" in florin("clients", "add", "shop-2", "-s", "everything", status=1)


def test_the_ports_of_identity_are_its_own() -> None:
    assert len(set(Ports().all())) == len(Ports().all())


def test_people_are_invited_listed_and_given_roles(florin: Florin) -> None:
    added = florin("users", "add", "jana@example.com", "--name", "Jana Nová", "-r", "operator")
    listed = florin("users", "list")
    assert "jana@example.com" in listed
    person = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)
    assert person is not None
    assert "auditor" in florin("users", "roles", person[0], "-r", "auditor", "-r", "approver")
    refused = florin("users", "reset-second-factor", person[0], status=1)
    assert "Nothing was changed" in refused
    again = florin("users", "invite-again", person[0])
    assert invitation(again) != invitation(added)
    assert "invited, not disabled" in florin("users", "enable", person[0], status=1)
    assert "disabled" in florin("users", "disable", person[0])
    assert "disabled" in florin("users", "list")
    enabled = florin("users", "enable", person[0])
    assert "invited" in enabled
    assert invitation(enabled) != invitation(again)


def invitation(printed: str) -> str:
    (found,) = re.findall(r"^[\w-]{43}$", printed, re.MULTILINE)
    return str(found)


def test_the_table_of_roles_is_that_of_the_code(florin: Florin) -> None:
    """A mark for each scope that a role has, and every scope with what it means."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in florin("roles").splitlines()]
    told = {row[0]: row[1:] for row in rows if row and row[0] in SCOPES}
    assert told.keys() == SCOPES.keys()
    for scope, meaning in SCOPES.items():
        assert told[scope] == [*("●" if scope in ROLES[role] else "" for role in Role), meaning]
