"""roles: which role may do what, as the one table of the code has it."""

import typer
from rich.console import Console
from service_kit.access import ROLES, SCOPES, Role

from florin.tables import make_table

console = Console(highlight=False)
MAY = "[green]●[/green]"


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command()(roles)


def roles() -> None:
    """Show what each role may do. What no role has is for systems' keys alone."""
    table = make_table("scope", *(role.value for role in Role), "what it lets one do", whole={"scope"})
    for column in table.columns[1 : 1 + len(Role)]:
        column.justify = "center"
    for scope, meaning in SCOPES.items():
        held = [MAY if scope in ROLES[role] else "" for role in Role]
        table.add_row(scope, *held, meaning, style=None if any(held) else "dim")
    console.print(table)
