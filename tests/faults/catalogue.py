"""Every family of faults: importing this module fills the registry."""

from . import (
    broker,
    clock,
    keys,
    messages,
    network,
    postgres,
    processes,
    races,
    receivers,
    relay_and_consumer,
    storm,
)
from .registry import FAULTS, Fault

FAMILIES = (
    processes,
    relay_and_consumer,
    broker,
    postgres,
    network,
    messages,
    keys,
    races,
    clock,
    receivers,
    storm,
)

__all__ = ["FAMILIES", "FAULTS", "Fault"]
