"""What the fraud service is told by its environment."""

from typing import ClassVar

from service_kit.settings import BusSettings


class FraudSettings(BusSettings):
    """Nothing beyond what every service is told."""

    service: ClassVar[str] = "fraud"
