"""What the identity service is told by its environment."""

from pathlib import Path
from typing import ClassVar

from contracts.handles import read_handle_key
from pydantic import Field, SecretStr, field_validator
from service_kit.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """Whose people may administer every client, and the keys under which secrets are kept.

    People are found by hashes under a key made of `blind_index_key`, and reach the service at
    `public_origin` where a proxy gives it another name than the request's. Without `redis_url` nobody signs
    in. `breached_passwords_file` takes the place of the list that ships.

    The file of key-encryption keys may change while the service runs: it is read again.
    """

    service: ClassVar[str] = "identity"

    # Where it is reached, without a slash at the end: what tokens name as their issuer.
    token_issuer: str = Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")
    token_audience: str = "florin"  # noqa: S105  a name, not a secret
    staff_client: str = Field(default="operator", pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    key_encryption_keys_file: Path
    blind_index_key: SecretStr
    public_origin: str | None = Field(default=None, pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")
    breached_passwords_file: Path | None = None

    @field_validator("blind_index_key")
    @classmethod
    def _must_be_a_key(cls, key: SecretStr) -> SecretStr:
        read_handle_key(key.get_secret_value())
        return key

    @property
    def handle_key(self) -> bytes:
        """The key from which that of people's logins is made."""
        return read_handle_key(self.blind_index_key.get_secret_value())
