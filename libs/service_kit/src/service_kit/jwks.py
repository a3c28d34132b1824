"""The issuer's public keys, kept in memory and asked for in the background (RFC 7517).

What was had last is kept while the issuer is away: a token that was good stays good until it expires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey

from service_kit.polling import Poller, Unusable
from service_kit.strict_json import JsonRefused, parse

EVERY_S = 60.0
# A made-up `kid` must not make every process ask the issuer at every request. Not longer: a key that is about
# to sign is known as soon as the trust feed has told of it.
PAUSE_S = 1.0
# What stands between us and the issuer must not answer in its place with what it was told before.
_HEADERS = {"accept": "application/json", "cache-control": "no-cache"}
_MAX_BYTES = 64_000
_CURVES = {"EdDSA": "Ed25519", "ES256": "P-256"}

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the one algorithm that it verifies."""

    algorithm: str
    key: OKPKey | ECKey


class KeySet:
    """The keys by `kid`; empty until the issuer has been reached. `keys` is another object whenever the set
    has changed, and the same as long as it has not."""

    def __init__(
        self, url: str, http: httpx2.AsyncClient, *, every_s: float = EVERY_S, pause_s: float = PAUSE_S
    ) -> None:
        self.keys: Mapping[str, VerifyingKey] = {}
        self.poller = Poller("the issuer's keys", self._ask, every_s=every_s, pause_s=pause_s)
        self._url = url
        self._http = http
        self._document = b""

    async def _ask(self) -> None:
        answer = await self._http.get(self._url, headers=_HEADERS)
        if answer.status_code != 200 or len(answer.content) > _MAX_BYTES:
            raise Unusable(f"status {answer.status_code}, {len(answer.content)} bytes")
        if answer.content != self._document:
            self.keys = read_keys(answer.content)
            self._document = answer.content
            _log.info("issuer's keys", kids=sorted(self.keys))


def read_keys(document: bytes) -> Mapping[str, VerifyingKey]:
    """The keys of a JWK set that may verify tokens; others are left out. Raises `Unusable` for a document
    that is none, names a `kid` twice, or has no key that is of use."""
    try:
        content = parse(document)
    except JsonRefused as error:
        raise Unusable(f"not JSON: {error}") from None
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise Unusable("not a JWK set")
    keys: dict[str, VerifyingKey] = {}
    for entry in entries:
        kid, key = _read_key(entry)
        if key is None:
            continue
        if kid in keys:
            raise Unusable("a kid that stands for two keys")
        keys[kid] = key
    if not keys:
        raise Unusable("no key that verifies by EdDSA or ES256")
    return keys


def _read_key(entry: Any) -> tuple[str, VerifyingKey | None]:
    """The key and its `kid`; None for one of another kind or use, or one that tells its private half."""
    if not isinstance(entry, dict):
        return "", None
    kid, algorithm = entry.get("kid"), entry.get("alg")
    fits = isinstance(kid, str) and kid and isinstance(algorithm, str) and algorithm in _CURVES
    if not fits or entry.get("use", "sig") != "sig" or "d" in entry:
        return "", None
    assert isinstance(kid, str)
    assert isinstance(algorithm, str)
    try:
        key = JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return "", None
    if not isinstance(key, OKPKey | ECKey) or key.curve_name != _CURVES[algorithm]:
        return "", None
    return kid, VerifyingKey(algorithm, key)
