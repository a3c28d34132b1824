"""What a process is told by its environment: read once, checked, never changed."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from contracts.handles import is_region, read_handle_key
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service_kit.addresses import unsafe_address, unsafe_secret, with_authority
from service_kit.forwarding import ForwardedHeader, Network, TrustedProxies, parse_networks
from service_kit.rate_budgets import Rate
from service_kit.rate_limits import DEFAULTS, UNLIMITED, RouteClass, parse_rate

_AUTHORITY_OF = {
    "database_url": "database_ca_file",
    "migration_database_url": "database_ca_file",
    "broker_url": "broker_ca_file",
    "redis_url": "redis_ca_file",
}
_HTTP_URL = r"^https?://[^\s]+$"
SECRETS_VARIABLE = "FLORIN_SECRETS_DIR"
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

    # Whose certificates are good; before the addresses, which are completed by them.
    database_ca_file: Path | None = None
    broker_ca_file: Path | None = None
    redis_ca_file: Path | None = None
    # Why servers elsewhere may be spoken to in the open (a mesh that encrypts, say).
    allow_plaintext: str | None = Field(default=None, min_length=8)
    # Why other services may (a network of their own); Postgres, the broker and Redis still may not.
    allow_plain_http: str | None = Field(default=None, min_length=8)

    database_url: SecretStr
    migration_database_url: SecretStr | None = None
    migrations_dir: Path | None = None
    database_pool_size: int = Field(default=10, ge=1, le=100)

    api_keys_file: Path
    api_key_pepper: SecretStr = Field(min_length=16)

    # Who issues access tokens, and who tells which keys are good; without them only the file's keys are.
    token_issuer: str | None = Field(default=None, min_length=1, max_length=300)
    token_audience: str = Field(default="florin", min_length=1, max_length=100)
    jwks_url: str | None = Field(default=None, pattern=_HTTP_URL)
    trust_url: str | None = Field(default=None, pattern=_HTTP_URL)
    trust_key: SecretStr | None = Field(default=None, min_length=16)

    # Shared counts of requests lie there; without it each process counts for itself.
    redis_url: SecretStr | None = None
    rate_limits_read: str | None = None
    rate_limits_write: str | None = None
    rate_limits_money: str | None = None

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    forwarded_header: ForwardedHeader = "x-forwarded-for"
    internal_host: str = "127.0.0.1"
    internal_port: int = Field(default=8090, ge=0, le=65535)

    # The collector of traces; none, and nothing is recorded. A caller's own decision to record stands.
    otlp_endpoint: str | None = Field(default=None, pattern=_HTTP_URL)
    trace_share: float = Field(default=0.01, ge=0, le=1)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    environment: Environment = "production"
    drain_timeout_s: float = Field(default=25.0, gt=0, le=600)
    drain_delay_s: float = Field(default=0.5, ge=0, le=60)
    start_timeout_s: float = Field(default=60.0, gt=0, le=600)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process's environment; raises `SettingsError` with one line a fault. What is
        merely unsafe is one outside development.

        Any setting may also be a file of its lower-case name (`florin_database_url`) in the folder that
        FLORIN_SECRETS_DIR names (or in one of several, with `:` between), as containers are given secrets. A
        variable goes before a file.
        """
        try:
            settings = cls(_secrets_dir=_secrets_folders())
        except ValidationError as error:
            raise SettingsError(_describe(error)) from None
        faults = [] if settings.is_development else [f"FLORIN_{line}" for line in settings.unsafe()]
        if faults:
            raise SettingsError("\n".join(faults))
        return settings

    def unsafe(self) -> Iterator[str]:
        """What must not be so in production: the setting's name, and what is wrong with it. A service whose
        own settings can be unsafe adds them."""
        # Who answers for identity decides whom all the others believe.
        for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "JWKS_URL", "TRUST_URL"):
            yield from self._unsafe_address(name)
        for fault in unsafe_secret(self.api_key_pepper.get_secret_value()):
            yield f"API_KEY_PEPPER: {fault}"
        if self.log_level == "DEBUG":
            yield "LOG_LEVEL: must not be DEBUG, for the libraries' own lines may hold what ours never do"

    def _unsafe_address(self, name: str) -> Iterator[str]:
        url: SecretStr | str | None = getattr(self, name.lower())
        if url is not None:
            text = url.get_secret_value() if isinstance(url, SecretStr) else url
            is_service = text.startswith("http")
            reason = self.allow_plaintext or (self.allow_plain_http if is_service else None)
            for fault in unsafe_address(text, plaintext=reason is not None):
                yield f"{name}: {fault}"

    @field_validator("database_url", "migration_database_url", "broker_url", "redis_url", check_fields=False)
    @classmethod
    def _by_its_authority(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        authority = info.data.get(_AUTHORITY_OF[str(info.field_name)])
        if url is None or authority is None:
            return url
        return SecretStr(with_authority(url.get_secret_value(), authority))

    @model_validator(mode="after")
    def _issuer_and_keys_go_together(self) -> Self:
        if (self.token_issuer is None) != (self.jwks_url is None):
            raise ValueError("FLORIN_TOKEN_ISSUER and FLORIN_JWKS_URL are set together or not at all")
        if (self.trust_url is None) != (self.trust_key is None):
            raise ValueError("FLORIN_TRUST_URL and FLORIN_TRUST_KEY are set together or not at all")
        return self

    @field_validator("rate_limits_read", "rate_limits_write", "rate_limits_money")
    @classmethod
    def _must_be_a_rate(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None:
            parse_rate(str(info.field_name), text)
        return text

    @field_validator("otlp_endpoint", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _must_be_networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    @property
    def proxies(self) -> TrustedProxies | None:
        """Whose word is taken for where a request comes from; None: nobody's."""
        return TrustedProxies(self.trusted_proxies, self.forwarded_header) if self.trusted_proxies else None

    @property
    def certificate_files(self) -> Mapping[str, Path | None]:
        """The authorities' files, by whose certificates they are good for."""
        return {
            "database_ca": self.database_ca_file,
            "broker_ca": self.broker_ca_file,
            "redis_ca": self.redis_ca_file,
        }

    @property
    def server_addresses(self) -> Mapping[str, str]:
        """The servers that the process speaks to, by what they are for; the addresses bear passwords."""
        told = {"database": self.database_url, "redis": self.redis_url}
        addresses = {name: url.get_secret_value() for name, url in told.items() if url is not None}
        issuer = self.trust_url or self.jwks_url
        return addresses if issuer is None else addresses | {"issuer": issuer}

    @property
    def rate_limits(self) -> Mapping[RouteClass, Rate]:
        """How often one client may ask; in development it is not limited unless that is asked for."""
        asked = {
            "read": self.rate_limits_read,
            "write": self.rate_limits_write,
            "money": self.rate_limits_money,
        }
        usual = dict.fromkeys(DEFAULTS, UNLIMITED) if self.is_development else DEFAULTS
        rates = {kind: parse_rate(kind, asked[kind] or text) for kind, text in usual.items()}
        return {kind: rate for kind, rate in rates.items() if rate is not None}

    @property
    def is_development(self) -> bool:
        return self.environment == "development"


class BusSettings(ServiceSettings):
    """What services read that send messages or hear them."""

    broker_url: SecretStr
    broker_namespace: str = Field(default="florin", pattern=r"^[a-z][a-z0-9_.-]{0,40}$")
    keyring_file: Path

    @property
    def server_addresses(self) -> Mapping[str, str]:
        return {**super().server_addresses, "broker": self.broker_url.get_secret_value()}

    def unsafe(self) -> Iterator[str]:
        yield from super().unsafe()
        yield from self._unsafe_address("BROKER_URL")


class HandleSettings(BusSettings):
    """What services read that know people by their handles; it must be the same for all of them.

    `default_region` is the country (`CZ`) whose national spellings of mobile numbers are understood; without
    one every number must be written with its country's code.
    """

    blind_index_key: SecretStr
    default_region: str | None = None

    @field_validator("blind_index_key")
    @classmethod
    def _must_be_a_key(cls, key: SecretStr) -> SecretStr:
        read_handle_key(key.get_secret_value())
        return key

    @field_validator("default_region")
    @classmethod
    def _must_be_a_country(cls, region: str | None) -> str | None:
        if region is not None and not is_region(region):
            raise ValueError("must be a country's two capital letters (ISO 3166)")
        return region

    def unsafe(self) -> Iterator[str]:
        yield from super().unsafe()
        for fault in unsafe_secret(self.blind_index_key.get_secret_value()):
            yield f"BLIND_INDEX_KEY: {fault}"

    @property
    def handle_key(self) -> bytes:
        """The key of `contracts.handles.handle`."""
        return read_handle_key(self.blind_index_key.get_secret_value())


def _secrets_folders() -> list[Path]:
    folders = [Path(name) for name in os.environ.get(SECRETS_VARIABLE, "").split(os.pathsep) if name]
    if not all(folder.is_dir() for folder in folders):
        raise SettingsError(f"{SECRETS_VARIABLE}: names what is not a folder")
    return folders


def _describe(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        name = "FLORIN_" + "_".join(str(part) for part in fault["loc"]).upper()
        problem = "is not set" if fault["type"] == "missing" else fault["msg"]
        lines.append(f"{name}: {problem}" if fault["loc"] else problem)
    return "\n".join(lines)
