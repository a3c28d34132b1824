"""The command line: `florin COMMAND`. Each family of commands registers itself; errors are one clear line."""

import logging
import sys

import asyncpg
import typer
from rich.console import Console

from florin.commands import (
    access,
    api_docs,
    audit,
    cluster_rules,
    customers,
    dashboards,
    demo,
    importing,
    latency,
    lifecycle,
    parked,
    proposals,
    provisioning,
    roles,
    sql,
    users,
    verification,
    watch,
)
from florin.errors import StackError

FAILED = 1
INTERRUPTED = 130

app = typer.Typer(
    name="florin",
    help="A payments back office on this machine: start it, feed it, check it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
FAMILIES = (
    *(lifecycle, provisioning, demo, importing, verification, audit, watch, parked, sql),
    *(proposals, customers, access, roles, users, latency, api_docs, dashboards),
    cluster_rules,
)
for family in FAMILIES:
    family.register(app)


def main() -> None:
    """Runs the command; what a person can act on is told in one line, without a traceback."""
    # It logs each failed connection, which is then told in our words.
    logging.getLogger("aiormq").addHandler(logging.NullHandler())
    try:
        app()
    except StackError as error:
        _fail(str(error))
    except ConnectionError as error:
        _fail(f"{error}: `florin status` shows what is down")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        _fail(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _fail(line: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        "[bold red]florin:[/bold red]", line, markup=True
    )
    sys.exit(FAILED)
