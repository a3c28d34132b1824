"""Every family of faults: importing this module fills the registry."""

from . import messages, processes
from .registry import FAULTS, Fault

FAMILIES = (processes, messages)

__all__ = ["FAMILIES", "FAULTS", "Fault"]
