"""Secrets as files, a folder for each who is to have them: what containers are given instead of variables.

A service's folder holds one file for each secret setting, named as `FLORIN_SECRETS_DIR` wants it, and the
documents that its other settings name. Nobody's folder holds what is another's.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from florin.broker_users import watcher_of
from florin.credentials import (
    Credentials,
    api_keys_file,
    identity_keys_file,
    key_encryption_keys_file,
    keyring_file,
)
from florin.environment import KEEPS_CLIENTS, KEEPS_PERSONS, Surroundings
from florin.provision import AUDITOR
from florin.services import PROCESSES, SERVICES

SECRETS = (
    *("FLORIN_DATABASE_URL", "FLORIN_BROKER_URL", "FLORIN_REDIS_URL", "FLORIN_API_KEY_PEPPER"),
    *("FLORIN_TRUST_KEY", "FLORIN_BLIND_INDEX_KEY", "FLORIN_SERVICE_API_KEY"),
)
BROKER_ADMIN = "florin"
OWNERS_SECRET = "FLORIN_MIGRATION_DATABASE_URL"  # noqa: S105  a variable's name
# Where alerts are told, by Alertmanager's receivers.
_RECEIVERS = {
    "pager": "FLORIN_PAGER_URL",
    "tickets": "FLORIN_TICKETS_URL",
    "heartbeat": "FLORIN_HEARTBEAT_URL",
}
_NOBODY = "http://127.0.0.1:9/nobody"
_READABLE, _ENTERABLE = 0o400, 0o500
# Nothing is kept but sessions and counts, which may be lost.
_VALKEY = 'bind * -::*\nprotected-mode yes\nrequirepass {password}\nsave ""\nappendonly no\n{limits}'
_VALKEY_LIMITS = "maxmemory 192mb\nmaxmemory-policy volatile-lru\n"


def hand_out(surroundings: Surroundings, folder: Path, *, uid: int | None = None) -> list[str]:
    """Writes every folder under `folder` and returns their names; `uid` is to own them, and
    the run folder with them."""
    given: dict[str, Mapping[str, str]] = {
        service: _of_service(surroundings, service) for service in PROCESSES
    }
    given |= {f"{service}-owner": _of_owner(surroundings, service) for service in PROCESSES}
    given |= _of_servers(surroundings.credentials)
    # Who recomputes what must hold reads everything, writes nothing, and goes past a pooler: it reads long.
    given["watch"] = {"florin_database_url": surroundings.role_url(AUDITOR)}
    if surroundings.broker_management_url is not None:
        given["watcher"] = {"host": _watchers_address(surroundings, surroundings.broker_management_url)}
    for name, files in given.items():
        _write(folder / name, files, uid=uid)
    if uid is not None:
        for path in (surroundings.run_dir, *surroundings.run_dir.iterdir()):
            os.chown(path, uid, uid)
    return list(given)


def _of_service(surroundings: Surroundings, service: str) -> dict[str, str]:
    told = surroundings.told(service)
    files = {name.lower(): told[name] for name in SECRETS if name in told}
    documents = [("api-keys.json", api_keys_file(surroundings.run_dir))]
    if service in SERVICES:
        documents.append(("keyring.json", keyring_file(surroundings.run_dir)))
    if service == KEEPS_PERSONS:
        documents.append(("key-encryption-keys.json", key_encryption_keys_file(surroundings.run_dir)))
    if service == KEEPS_CLIENTS:
        documents.append(("key-encryption-keys.json", identity_keys_file(surroundings.run_dir)))
    return files | {name: path.read_text() for name, path in documents}


def _of_owner(surroundings: Surroundings, service: str) -> dict[str, str]:
    return {OWNERS_SECRET.lower(): surroundings.told(service)[OWNERS_SECRET]}


def _of_servers(credentials: Credentials) -> Mapping[str, Mapping[str, str]]:
    return {
        # As Postgres's and RabbitMQ's operators want them, and the public images.
        "postgres": {"username": "postgres", "password": credentials.postgres},
        "rabbitmq": {
            "username": BROKER_ADMIN,
            "password": credentials.broker,
            "default_user.conf": f"default_user = {BROKER_ADMIN}\ndefault_pass = {credentials.broker}\n",
            **{"host": "florin-rabbitmq", "port": "5671", "provider": "rabbitmq", "type": "rabbitmq"},
        },
        # Whom alerts are told is for each installation to say; until then nobody is.
        "alertmanager": {
            f"alertmanager_{receiver}_url": os.environ.get(variable, _NOBODY)
            for receiver, variable in _RECEIVERS.items()
        },
        "grafana": {"password": credentials.broker_password_of("grafana")},
        "valkey": {
            "password": credentials.redis,
            "valkey.conf": _VALKEY.format(password=credentials.redis, limits=_VALKEY_LIMITS),
        },
    }


def _watchers_address(surroundings: Surroundings, management_url: str) -> str:
    """Where the lengths of queues are asked for, as KEDA wants it: with the virtual host as its path."""
    parts = urlsplit(management_url)
    where = parts.netloc.rpartition("@")[2]
    password = surroundings.credentials.broker_password_of("watcher")
    login = f"{watcher_of(surroundings.namespace)}:{password}"
    return urlunsplit((parts.scheme, f"{login}@{where}", "/%2F", "", ""))


def _write(folder: Path, files: Mapping[str, str], *, uid: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for stale in set(folder.iterdir()) - {folder / name for name in files}:
        stale.unlink()
    for name, text in files.items():
        if not (folder / name).exists() or (folder / name).read_text() != text:
            _replace(folder / name, text)
        if uid is not None:
            os.chown(folder / name, uid, uid)
    if uid is not None:
        os.chown(folder, uid, uid)
    folder.chmod(_ENTERABLE)


def _replace(path: Path, text: str) -> None:
    # In one step, for those who run may be reading it.
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.chmod(_READABLE)
    draft.replace(path)
