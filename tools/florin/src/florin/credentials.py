"""The secrets of one run folder: made at random at first use, kept in files only their owner can read."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from florin.errors import StackError
from florin.provision import role_names
from florin.services import SERVICES

PRIVATE = 0o600
EVERYDAY = (
    *("payments:write", "payments:read", "accounts:write", "accounts:read", "reviews:read", "reviews:decide"),
    *("rules:read", "rules:write", "webhooks:write", "webhooks:read"),
)
ELEVATED = (
    *("withdrawals:write", "settlement:write", "limits:write", "kyc:decide", "audit:read"),
    *("proposals:read", "proposals:write", "proposals:decide", "accounts:adjust", "payments:approve"),
)


@dataclass(frozen=True)
class KeyHolder:
    """Who a key lets in, as which client, to do what."""

    client: str
    scopes: tuple[str, ...]


# `demo` plays the upstream system and `demo-office` the people there who may do more; `operator` decides
# reviews of all clients and administers them. With the last two services ask: the transaction service what
# others would do, every service which keys are good, and nothing else.
KEYS: Mapping[str, KeyHolder] = {
    "demo": KeyHolder("demo", EVERYDAY),
    "demo-office": KeyHolder("demo", (*EVERYDAY, *ELEVATED)),
    "operator": KeyHolder(
        "operator", (*EVERYDAY, *ELEVATED, "reviews:any-client", "clients:admin", "people:admin")
    ),
    "florin-transaction": KeyHolder("florin-transaction", ("dry-run:ask",)),
    "florin-trust": KeyHolder("florin-trust", ("trust:read",)),
}


@dataclass(frozen=True, repr=False)
class Credentials:
    """What a stack and its command line share. `api_keys` by names of KEYS, `roles` by database role."""

    node: str
    postgres: str
    broker: str
    redis: str
    api_key_pepper: str
    blind_index_key: str
    roles: Mapping[str, str]
    api_keys: Mapping[str, str]

    def broker_password_of(self, service: str) -> str:
        """That of the service's user of the broker; the administrator's cannot be told from it."""
        return hmac.new(self.broker.encode(), service.encode(), hashlib.sha256).hexdigest()

    @classmethod
    def make(cls) -> "Credentials":
        """New ones, all at random."""
        return cls(
            node=secrets.token_hex(6),
            postgres=secrets.token_hex(16),
            broker=secrets.token_hex(16),
            redis=secrets.token_hex(16),
            api_key_pepper=secrets.token_hex(32),
            blind_index_key=secrets.token_hex(32),
            roles={role: secrets.token_hex(16) for role in role_names()},
            api_keys={name: new_api_key() for name in KEYS},
        )

    @classmethod
    def load(cls, run_dir: Path) -> "Credentials":
        """Those of the run folder; raises StackError when there are none yet or the file is damaged."""
        path = run_dir / "credentials.json"
        try:
            content = json.loads(path.read_text())
            return cls(**{field.name: content[field.name] for field in fields(cls)})
        except FileNotFoundError:
            raise StackError(f"nothing was started in {run_dir} yet: run `make up`") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(
                f"{path} cannot be read ({error!r}): `florin down --wipe` starts afresh"
            ) from error


def load_or_make(run_dir: Path) -> Credentials:
    """The run folder's credentials, key rings and API keys; whatever is missing is made."""
    if (run_dir / "credentials.json").exists():
        _complete(run_dir / "credentials.json")
        credentials = Credentials.load(run_dir)
    else:
        credentials = Credentials.make()
        write_private(run_dir / "credentials.json", asdict(credentials))
    if not keyring_file(run_dir).exists():
        write_private(keyring_file(run_dir), new_keyring())
    for path in (key_encryption_keys_file(run_dir), identity_keys_file(run_dir)):
        if not path.exists():
            write_private(path, {"keys": [new_key_encryption_key(number=1)]})
    _keep_api_keys(api_keys_file(run_dir), api_keys_document(credentials))
    return credentials


def _keep_api_keys(path: Path, document: Mapping[str, object]) -> None:
    """Written only where it says something else: the folder may be a mounted secret, which cannot change."""
    try:
        if json.loads(path.read_text()) == document:
            return
    except (OSError, ValueError):
        pass
    write_private(path, document)


def _complete(path: Path) -> None:
    """Adds what the file of an earlier release lacks; whatever is wrong with it is for its reader to tell."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    if not isinstance(document, dict) or not isinstance(document.get("api_keys"), dict):
        return
    api_keys = {name: document["api_keys"].get(name) or new_api_key() for name in KEYS}
    completed = {"blind_index_key": secrets.token_hex(32)} | document
    completed["api_keys"] = document["api_keys"] | api_keys
    if isinstance(document.get("roles"), dict):
        fresh = {role: secrets.token_hex(16) for role in role_names()}
        completed["roles"] = fresh | document["roles"]
    if completed != document:
        write_private(path, completed)


def keyring_file(run_dir: Path) -> Path:
    """Where the services find the keys that sign messages."""
    return run_dir / "keyring.json"


def key_encryption_keys_file(run_dir: Path) -> Path:
    """Where the account service finds the keys under which each person's own key is kept."""
    return run_dir / "key-encryption-keys.json"


def identity_keys_file(run_dir: Path) -> Path:
    """Where the identity service finds the keys under which its signing keys are kept."""
    return run_dir / "identity-keys.json"


def api_keys_file(run_dir: Path) -> Path:
    """Where the services find the digests of the clients' keys."""
    return run_dir / "api-keys.json"


def new_keyring() -> dict[str, object]:
    """A key ring document with one active key for each service."""
    return {"keys": [new_signing_key(service, number=1) for service in SERVICES]}


def new_signing_key(producer: str, *, number: int) -> dict[str, object]:
    """One entry of a key ring document."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"id": f"{producer}-{number}", "producer": producer, "secret": secret, "active": True}


def new_key_encryption_key(*, number: int) -> dict[str, object]:
    """One entry of a document of key-encryption keys: the active one wraps, all of them unwrap."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"id": f"kek-{number}", "secret": secret, "active": True}


def new_api_key() -> str:
    """`flk_<8 characters to know it by>_<256 random bits>`."""
    prefix = base64.b32encode(secrets.token_bytes(5)).decode().lower()
    return f"flk_{prefix}_{secrets.token_urlsafe(32)}"


def api_key_digest(key: str, *, pepper: str) -> str:
    """What a service keeps of a key."""
    return hmac.new(pepper.encode(), key.encode(), hashlib.sha256).hexdigest()


def api_keys_document(credentials: Credentials) -> dict[str, object]:
    """The document the services check keys against: it holds digests only."""
    return {
        "keys": [
            {
                "client": KEYS[name].client,
                "prefix": key.split("_")[1],
                "digest": api_key_digest(key, pepper=credentials.api_key_pepper),
                "scopes": list(KEYS[name].scopes),
            }
            for name, key in credentials.api_keys.items()
            if name in KEYS
        ]
    }


def write_private(path: Path, document: object) -> None:
    """Writes JSON in one step: a reader sees the old file or the new one, and only its owner sees either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=PRIVATE)
    draft.write_text(json.dumps(document, indent=1) + "\n")
    draft.replace(path)
