"""Every family of faults: importing this module fills the registry."""

from . import processes
from .registry import FAULTS, Fault

FAMILIES = (processes,)

__all__ = ["FAMILIES", "FAULTS", "Fault"]
