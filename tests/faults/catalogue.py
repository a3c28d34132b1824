"""Every family of faults: importing this module fills the registry."""

from . import broker, messages, network, postgres, processes, relay_and_consumer
from .registry import FAULTS, Fault

FAMILIES = (processes, relay_and_consumer, broker, postgres, network, messages)

__all__ = ["FAMILIES", "FAULTS", "Fault"]
