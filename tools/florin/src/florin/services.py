"""The services that make up Florin, in the order they start."""

from importlib.util import find_spec

SERVICES = ("transaction", "account", "fraud", "notification")


def module_of(service: str) -> str:
    """The package to run with `python -m`."""
    return f"{service}_service"


def runnable(service: str) -> bool:
    """Whether the service can be run at all."""
    return find_spec(f"{module_of(service)}.__main__") is not None
