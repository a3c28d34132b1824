"""What a fault is, and the list of all of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arena import Arena

Fire = Callable[["Arena"], Awaitable[None]]

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Fault:
    """One fault. `short`: also part of `make test`; `timeout_s` bounds its firing; `without` says what is
    missing for it here."""

    name: str
    family: str
    what: str
    fire: Fire
    short: bool
    timeout_s: float
    without: str | None = None


FAULTS: dict[str, Fault] = {}
# Faults that cannot be brought about on this machine: told in the report with what they are without.
SKIPPED: dict[str, Fault] = {}


def fault(
    *, short: bool = False, timeout_s: float = TIMEOUT_S, without: str | None = None
) -> Callable[[Fire], Fire]:
    """Register `async def fire(arena)` under its own name; its docstring's first line says what happens.

    The function makes its moment happen, calls `arena.fired()` once it has *seen* it happen (never before),
    and mends what it broke. What the system must do afterwards is the arena's business. `without` says what
    is missing on this machine, so that the fault is left out.
    """

    def register(fire: Fire) -> Fire:
        name = fire.__name__.replace("_", "-")
        assert name not in {**FAULTS, **SKIPPED}, f"two faults are named {name}"
        assert fire.__doc__, f"{name} does not say what it is"
        what = " ".join(fire.__doc__.split("\n\n")[0].split())
        family = fire.__module__.rpartition(".")[2]
        known = FAULTS if without is None else SKIPPED
        known[name] = Fault(name, family, what, fire, short, timeout_s, without)
        return fire

    return register
