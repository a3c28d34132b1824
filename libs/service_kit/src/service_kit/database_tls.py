"""TLS to Postgres, told in the URL the way libpq has it: sslmode, sslrootcert, sslcert, sslkey."""

import ssl
from collections.abc import Mapping, MutableMapping
from typing import Any

from sqlalchemy import Engine, event

TLS_WORDS = frozenset({"sslmode", "ssl", "sslrootcert", "sslcert", "sslkey"})
_WITHOUT_VERIFICATION = {"disable", "allow", "prefer", "require"}
_VERIFIED = {"verify-ca", "verify-full"}


def tls_argument(query: MutableMapping[str, Any]) -> dict[str, Any]:
    """Takes the TLS words out of a URL's query and returns them as asyncpg's `ssl` argument.

    `require` encrypts without verifying, as in libpq, unless a root certificate is named, which makes it
    `verify-ca`. Raises `ValueError` for a mode that does not exist.
    """
    mode = query.pop("sslmode", None) or query.pop("ssl", None)
    root = query.pop("sslrootcert", None)
    certificate, key = query.pop("sslcert", None), query.pop("sslkey", None)
    if mode is None:
        return {}
    if mode == "require" and root is not None:
        mode = "verify-ca"
    if mode in _VERIFIED:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
        context.check_hostname = mode == "verify-full"
    elif mode in _WITHOUT_VERIFICATION:
        if certificate is None:
            return {"ssl": mode}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        known = ", ".join(sorted(_WITHOUT_VERIFICATION | _VERIFIED))
        raise ValueError(f"sslmode {mode!r} is unknown: use one of {known}")
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return {"ssl": context}


def connect_by_tls(engine: Engine, told: Mapping[str, Any]) -> None:
    """Makes each connection go by these TLS words and by the files as they are when it is opened.

    Authorities change while processes run. Raises `ValueError` as `tls_argument` does, and OSError for a file
    that is not there.
    """
    if not tls_argument(dict(told)):
        return

    @event.listens_for(engine, "do_connect")
    def read_anew(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters |= tls_argument(dict(told))
