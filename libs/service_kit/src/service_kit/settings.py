"""What a process is told by its environment: read once, checked, never changed."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Environment = Literal["production", "development"]


class SettingsError(Exception):
    """The environment lacks a setting or holds one that cannot be used; the text names each of them."""


class ServiceSettings(BaseSettings):
    """What every service reads. A service subclasses it in its own `settings.py`, names itself, adds its own.

    Anything that bears a password is a `SecretStr`, so that it cannot be printed by accident; the one who
    connects calls `get_secret_value()`.
    """

    model_config = SettingsConfigDict(
        env_prefix="FLORIN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    service: ClassVar[str] = ""

    database_url: SecretStr
    migration_database_url: SecretStr | None = None
    migrations_dir: Path | None = None
    database_pool_size: int = Field(default=10, ge=1, le=100)

    broker_url: SecretStr
    broker_namespace: str = Field(default="florin", pattern=r"^[a-z][a-z0-9_.-]{0,40}$")
    keyring_file: Path

    api_keys_file: Path
    api_key_pepper: SecretStr = Field(min_length=16)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    internal_host: str = "127.0.0.1"
    internal_port: int = Field(default=8090, ge=0, le=65535)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    environment: Environment = "production"
    drain_timeout_s: float = Field(default=25.0, gt=0, le=600)
    drain_delay_s: float = Field(default=0.5, ge=0, le=60)
    start_timeout_s: float = Field(default=60.0, gt=0, le=600)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process's environment; raises `SettingsError` with one line a fault."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(_describe(error)) from None

    @property
    def is_development(self) -> bool:
        return self.environment == "development"


def _describe(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        name = "FLORIN_" + "_".join(str(part) for part in fault["loc"]).upper()
        problem = "is not set" if fault["type"] == "missing" else fault["msg"]
        lines.append(f"{name}: {problem}")
    return "\n".join(lines)
