"""Who calls the service in these tests: systems by their keys, and people by their roles."""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from uuid import UUID

from service_kit.access import ROLES, Role
from service_kit.auth import ApiKeys, Client

PEPPER = "a pepper for tests only"
SCOPES = {
    "bank": ("accounts:read", "accounts:write", "kyc:decide", "limits:write"),
    "other": ("accounts:read", "accounts:write"),
    "reg": ("accounts:read", "accounts:write"),
    "reader": ("accounts:read",),
    "auditor": ("audit:read",),
    "stranger": ("payments:read",),
    "transaction": ("dry-run:ask",),
    "cashier": ("accounts:read", "accounts:write", "withdrawals:write", "settlement:write"),
    # People of the client `bank`, by their roles, and a key of its that may propose.
    "maker": (*ROLES[Role.OPERATOR],),
    "checker": (*ROLES[Role.APPROVER],),
    "other-checker": (*ROLES[Role.APPROVER],),
    "checker-of-yesterday": (*ROLES[Role.APPROVER],),
    "both": (*ROLES[Role.OPERATOR], *ROLES[Role.APPROVER]),
    "clerk": (*ROLES[Role.CLIENT], "limits:write"),
    "foreign-checker": (*ROLES[Role.APPROVER], *ROLES[Role.OPERATOR]),
    "proposing-system": ("proposals:read", "proposals:write", "accounts:adjust"),
    "deciding-system": ("proposals:decide",),
}
PEOPLE = {
    name: f"person:{UUID(int=number)}"
    for number, name in enumerate(
        ("maker", "checker", "other-checker", "checker-of-yesterday", "both", "clerk", "foreign-checker")
    )
}
# Others of the client `bank`, each with scopes of its own.
CLIENT_OF = dict.fromkeys(("cashier", "auditor", "proposing-system", "deciding-system", *PEOPLE), "bank") | {
    "foreign-checker": "other"
}
# For as long as the tests run a person's second factor counts as just shown.
_SHOWN_AT = datetime(9000, 1, 1, tzinfo=UTC)


class Callers:
    """API keys of clients."""

    def __init__(self) -> None:
        alphabet = base64.b32encode(secrets.token_bytes(5 * len(SCOPES))).decode().lower()
        self.keys = {
            name: f"flk_{alphabet[8 * n : 8 * n + 8]}_{secrets.token_urlsafe(32)}"
            for n, name in enumerate(SCOPES)
        }
        self.api_keys = ApiKeys(
            [
                (
                    Client(
                        CLIENT_OF.get(name, name),
                        frozenset(scopes),
                        f"key:{self.keys[name][4:12]}",
                        PEOPLE.get(name, ""),
                        None if name == "checker-of-yesterday" else _SHOWN_AT,
                    ),
                    hmac.digest(PEPPER.encode(), self.keys[name].encode(), hashlib.sha256),
                )
                for name, scopes in SCOPES.items()
            ],
            PEPPER.encode(),
        )
