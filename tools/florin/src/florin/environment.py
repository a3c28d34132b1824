"""What a service process is told: the environment variables its settings are read from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from florin.credentials import Credentials, api_keys_file, keyring_file
from florin.ports import HOST, Ports
from florin.provision import DATABASE, app_of, owner_of, url_for

NAMESPACE = "florin"


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
    database: str = DATABASE
    namespace: str = NAMESPACE
    extra: Mapping[str, str] = field(default_factory=dict)
    detours: Mapping[str, Detour] = field(default_factory=dict)

    def role_url(self, role: str) -> str:
        """The database's address for one of the roles of `provision.role_names()`."""
        password = self.credentials.roles[role]
        return url_for(self.database_admin_url, database=self.database, role=role, password=password)

    def environment_of(self, service: str) -> dict[str, str]:
        """All variables of one service's process; the caller's own others (log level and the like) pass."""
        database_url, broker_url = self.role_url(app_of(service)), self.broker_url
        if detour := self.detours.get(service):
            database_url, broker_url = _at(database_url, detour.postgres), _at(broker_url, detour.amqp)
        told = {
            "FLORIN_ENVIRONMENT": "development",
            "FLORIN_DATABASE_URL": database_url,
            "FLORIN_MIGRATION_DATABASE_URL": self.role_url(owner_of(service)),
            "FLORIN_BROKER_URL": broker_url,
            "FLORIN_BROKER_NAMESPACE": self.namespace,
            "FLORIN_KEYRING_FILE": str(keyring_file(self.run_dir)),
            "FLORIN_API_KEYS_FILE": str(api_keys_file(self.run_dir)),
            "FLORIN_API_KEY_PEPPER": self.credentials.api_key_pepper,
            "FLORIN_HTTP_HOST": HOST,
            "FLORIN_HTTP_PORT": str(self.ports.api(service)),
            "FLORIN_INTERNAL_HOST": HOST,
            "FLORIN_INTERNAL_PORT": str(self.ports.internal(service)),
            # A developer's receiver listens on this machine; anywhere else these stay off.
            "FLORIN_WEBHOOK_ALLOW_PRIVATE": "true",
            "FLORIN_WEBHOOK_ALLOW_HTTP": "true",
        }
        if self.redis_url:
            told["FLORIN_REDIS_URL"] = self.redis_url
        return {**os.environ, "PYTHONUNBUFFERED": "1", **told, **self.extra}


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{HOST}:{port}"))
