"""What the account service is told by its environment."""

from typing import ClassVar

from service_kit.settings import ServiceSettings


class AccountSettings(ServiceSettings):
    """Nothing beyond what every service is told."""

    service: ClassVar[str] = "account"
