"""The services that make up Florin."""

from importlib.util import find_spec

# Those on the message bus, in the order they start.
SERVICES = ("transaction", "account", "fraud", "notification")
# All that run and keep a schema.
PROCESSES = (*SERVICES, "identity")


def module_of(service: str) -> str:
    """The package to run with `python -m`."""
    return f"{service}_service"


def runnable(service: str) -> bool:
    """Whether the service can be run at all."""
    return find_spec(f"{module_of(service)}.__main__") is not None
