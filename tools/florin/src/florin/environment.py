"""What a service process is told: the environment variables its settings are read from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from florin import broker_users
from florin.credentials import (
    Credentials,
    api_keys_file,
    identity_keys_file,
    key_encryption_keys_file,
    keyring_file,
)
from florin.ports import HOST, Ports
from florin.provision import DATABASE, app_of, owner_of, url_for
from florin.services import SERVICES

NAMESPACE = "florin"
# Who knows people by their handles, and who alone can read what is kept of them.
KNOW_HANDLES = ("transaction", "account", "identity")
KEEPS_PERSONS = "account"
# Who keeps the clients, their keys and the keys that sign their tokens.
KEEPS_CLIENTS = "identity"
# Whose national spellings of mobile numbers a development stack understands.
HOME = "CZ"
# Who asks others what they would do with a payment, and whom.
ASKS = "transaction"
ASKED = ("account", "fraud")


@dataclass(frozen=True)
class Detour:
    """Ports of this machine that stand before a service's servers: proxies that are there to make trouble."""

    postgres: int
    amqp: int


@dataclass(frozen=True)
class Surroundings:
    """Where a set of services finds its database, its broker and its secrets."""

    run_dir: Path
    ports: Ports
    credentials: Credentials
    database_admin_url: str
    broker_url: str
    redis_url: str | None = None
    # Where users of the broker are made; without it all services use the one of its address.
    broker_management_url: str | None = None
    # Where APIs answer, `{service}` standing for the name; without it on this machine's ports.
    api_address: str | None = None
    # Host and port of a pooler before Postgres: the services go through it, migrations never do.
    pooler: str | None = None
    database: str = DATABASE
    namespace: str = NAMESPACE
    extra: Mapping[str, str] = field(default_factory=dict)
    detours: Mapping[str, Detour] = field(default_factory=dict)

    def role_url(self, role: str) -> str:
        """The database's address for one of the roles of `provision.role_names()`."""
        password = self.credentials.roles[role]
        return url_for(self.database_admin_url, database=self.database, role=role, password=password)

    def api_url(self, service: str) -> str:
        """Where the service's API answers, without a slash at the end."""
        if self.api_address is not None:
            return self.api_address.replace("{service}", service)
        return f"http://{HOST}:{self.ports.api(service)}"

    def broker_url_of(self, service: str) -> str:
        """The broker's address for one service: as its own user, where there are such."""
        if self.broker_management_url is None or service not in SERVICES:
            return self.broker_url
        password = self.credentials.broker_password_of(service)
        return broker_users.url_of(self.broker_url, service, self.namespace, password=password)

    def environment_of(self, service: str) -> dict[str, str]:
        """All variables of one service's process; the caller's own others (log level and the like) pass."""
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.told(service), **self.extra}

    def told(self, service: str) -> dict[str, str]:
        """The variables that these surroundings mean for the service, and no others."""
        database_url, broker_url = self.role_url(app_of(service)), self.broker_url_of(service)
        if self.pooler is not None:
            database_url = _through(database_url, self.pooler)
        if detour := self.detours.get(service):
            database_url, broker_url = _at(database_url, detour.postgres), _at(broker_url, detour.amqp)
        told = {
            "FLORIN_ENVIRONMENT": "development",
            "FLORIN_DATABASE_URL": database_url,
            "FLORIN_MIGRATION_DATABASE_URL": self.role_url(owner_of(service)),
            "FLORIN_API_KEYS_FILE": str(api_keys_file(self.run_dir)),
            "FLORIN_API_KEY_PEPPER": self.credentials.api_key_pepper,
            **self._trust(),
            "FLORIN_HTTP_HOST": HOST,
            "FLORIN_HTTP_PORT": str(self.ports.api(service)),
            "FLORIN_INTERNAL_HOST": HOST,
            "FLORIN_INTERNAL_PORT": str(self.ports.internal(service)),
            # A developer's receiver listens on this machine; anywhere else these stay off.
            "FLORIN_WEBHOOK_ALLOW_PRIVATE": "true",
            "FLORIN_WEBHOOK_ALLOW_HTTP": "true",
        }
        if service in SERVICES:
            told["FLORIN_BROKER_URL"] = broker_url
            told["FLORIN_BROKER_NAMESPACE"] = self.namespace
            told["FLORIN_KEYRING_FILE"] = str(keyring_file(self.run_dir))
        if service in KNOW_HANDLES:
            told["FLORIN_BLIND_INDEX_KEY"] = self.credentials.blind_index_key
            told["FLORIN_DEFAULT_REGION"] = os.environ.get("FLORIN_DEFAULT_REGION", HOME)
        if service == KEEPS_PERSONS:
            told["FLORIN_KEY_ENCRYPTION_KEYS_FILE"] = str(key_encryption_keys_file(self.run_dir))
        if service == KEEPS_CLIENTS:
            told["FLORIN_KEY_ENCRYPTION_KEYS_FILE"] = str(identity_keys_file(self.run_dir))
        if service == ASKS:
            told["FLORIN_SERVICE_API_KEY"] = self.credentials.api_keys["florin-transaction"]
            told |= {f"FLORIN_{one.upper()}_URL": self.api_url(one) for one in ASKED}
        if self.redis_url:
            told["FLORIN_REDIS_URL"] = self.redis_url
        return told

    def _trust(self) -> dict[str, str]:
        """Whose tokens are believed, and who says which keys are good and what was revoked."""
        issuer = self.api_url(KEEPS_CLIENTS)
        return {
            "FLORIN_TOKEN_ISSUER": issuer,
            "FLORIN_JWKS_URL": f"{issuer}/.well-known/jwks.json",
            "FLORIN_TRUST_URL": f"{issuer}/internal/v1/trust",
            "FLORIN_TRUST_KEY": self.credentials.api_keys["florin-trust"],
        }


def _at(url: str, port: int) -> str:
    return _through(url, f"{HOST}:{port}")


def _through(url: str, where: str) -> str:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{where}"))
