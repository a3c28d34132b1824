"""What the account service is told by its environment."""

from pathlib import Path
from typing import ClassVar

from service_kit.settings import HandleSettings


class AccountSettings(HandleSettings):
    """The keys under which personal data is kept, beyond what every service is told.

    The file of key-encryption keys may change while the service runs: it is read again.
    """

    service: ClassVar[str] = "account"

    key_encryption_keys_file: Path
