"""Every family of faults: importing this module fills the registry."""

from . import keys, messages, processes
from .registry import FAULTS, Fault

FAMILIES = (processes, messages, keys)

__all__ = ["FAMILIES", "FAULTS", "Fault"]
