from collections.abc import AsyncIterator, Callable

import pytest
from notification_service.domain.target import TargetPolicy
from notification_service.operations.register_endpoint import EndpointLimits
from testkit.databases import ServiceDatabase

from .receiver import Receiver, receiving
from .stage import Stage, set_up

DEVELOPMENT = TargetPolicy(allow_private=True, allow_http=True)


@pytest.fixture
async def stage(database_for: Callable[[str], ServiceDatabase]) -> AsyncIterator[Stage]:
    """The service as it is configured for development: webhooks may go to this machine."""
    url = database_for("notification").app_url
    async with set_up(url, policy=DEVELOPMENT, limits=EndpointLimits(standing=5, kept=8)) as made:
        yield made


@pytest.fixture
async def strict_stage(database_for: Callable[[str], ServiceDatabase]) -> AsyncIterator[Stage]:
    """The service as it is configured for production."""
    url = database_for("notification").app_url
    async with set_up(url, policy=TargetPolicy(), limits=EndpointLimits()) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made
