"""A token is believed only as its issuer signed it, for us, and while it lasts."""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from joserfc.jwk import OctKey
from service_kit import tokens
from service_kit.auth import IdentityUnknown, Unauthenticated
from service_kit.authentication import Authentication
from service_kit.clock import SystemClock
from service_kit.http import create_app
from service_kit.jwks import KeySet, read_keys
from service_kit.polling import Unusable
from service_kit.tokens import TokenVerifier
from testkit.clocks import StillClock

from .issuer import ISSUER, claims, new_key, segment, sign
from .sample_api import routes

KEY = new_key("first")
CURVE_KEY = new_key("curve", "ES256")
STRANGER = new_key("first")
GOOD_HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": "first"}
PERSON = "person:" + str(UUID(int=7))


def key_set(*keys: Any) -> KeySet:
    """Keys as if the issuer had told them."""
    known = KeySet("http://issuer.invalid", httpx2.AsyncClient())
    document = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()
    known.keys = read_keys(document)
    return known


def verifier(clock: Any = None) -> TokenVerifier:
    return TokenVerifier(ISSUER, "florin", key_set(KEY, CURVE_KEY), clock or StillClock())


def token(header: dict[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:
    """A good token but for these headers and claims; a header of None is left out."""
    told = {name: value for name, value in (GOOD_HEADER | (header or {})).items() if value is not None}
    return sign(key, told, json.dumps(claims(**changes)).encode())


def unsigned(header: dict[str, Any]) -> str:
    return f"{segment(GOOD_HEADER | header)}.{segment(claims())}."


def confused(secret: bytes) -> str:
    """Signed by HMAC, with what everybody knows as the secret."""
    signed = f"{segment(GOOD_HEADER | {'alg': 'HS256'})}.{segment(claims())}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), 'sha256'))}"


def with_header(raw: bytes) -> str:
    """A token whose header is these bytes, signed by the good key."""
    return sign(KEY, raw, json.dumps(claims()).encode(), algorithm="EdDSA")


def resigned(raw_payload: bytes) -> str:
    return sign(KEY, GOOD_HEADER, raw_payload)


def later(**by: float) -> int:
    return int((datetime.now(UTC) + timedelta(**by)).timestamp())


ATTACKS: dict[str, Callable[[], str]] = {
    "none": lambda: unsigned({"alg": "none"}),
    "None, in other letters": lambda: unsigned({"alg": "nOnE"}),
    "none with a signature": lambda: with_header(b'{"alg":"none","typ":"at+jwt","kid":"first"}'),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "two parts": lambda: token().rpartition(".")[0],
    "four parts": lambda: token() + ".e30",
    "HS256 with the public key's text": lambda: confused(KEY.as_pem(private=False)),
    "HS256 with the public key's bytes": lambda: confused(
        urlsafe_b64decode(str(KEY.as_dict(private=False)["x"]) + "==")
    ),
    "another algorithm's key": lambda: token({"kid": "first", "alg": "ES256"}, key=CURVE_KEY),
    "a stranger's curve": lambda: token({"alg": "ES256", "kid": "curve"}, key=new_key("curve", "ES256")),
    "a stranger's key": lambda: token(key=STRANGER),
    "its own key": lambda: token({"jwk": STRANGER.as_dict(private=False)}, key=STRANGER),
    "its own key's address": lambda: token({"jku": "http://127.0.0.1/keys"}),
    "its own certificate": lambda: token({"x5c": ["MIIB"]}),
    "a changed claim": lambda: ".".join(
        [token().split(".")[0], segment(claims(client_id="other", sub="client:other")), token().split(".")[2]]
    ),
    "another issuer": lambda: token(iss="https://identity.test.evil"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="other"),
    "no audience among several": lambda: token(aud=["other", "florin-not"]),
    "no audience": lambda: token(aud=None),
    "an identity token": lambda: token({"typ": "JWT"}),
    "no type": lambda: token({"typ": None}),
    "a type that is a list": lambda: token({"typ": ["at+jwt"]}),
    "expired": lambda: token(exp=later(seconds=-1), iat=later(seconds=-601)),
    "no expiry": lambda: token(exp=None),
    "an expiry in words": lambda: token(exp="2099-01-01"),
    "an expiry past all numbers": lambda: token(exp=10**30),
    "issued in the future": lambda: token(iat=later(seconds=120), exp=later(seconds=600)),
    "not valid yet": lambda: token(nbf=later(seconds=120)),
    "no time of issue": lambda: token(iat=None),
    "no id": lambda: token(jti=None),
    "no subject": lambda: token(sub=None),
    "no client": lambda: token(client_id=None),
    "no scope": lambda: token(scope=None),
    "another client's subject": lambda: token(sub="client:other"),
    "a subject of no kind": lambda: token(sub="admin"),
    "no kid": lambda: token({"kid": None}),
    "an unknown kid": lambda: token({"kid": "second"}),
    "a kid that is a path": lambda: token({"kid": "../../../../dev/null"}),
    "a kid that is SQL": lambda: token({"kid": "first' OR '1'='1"}),
    "a kid with a NUL": lambda: token({"kid": "first\0"}),
    "a kid that is a list": lambda: token({"kid": ["first"]}),
    "a kid that is an object": lambda: token({"kid": {"first": 1}}),
    "crit": lambda: token({"crit": ["exp"], "exp": 1}),
    "crit of what is known": lambda: token({"crit": ["kid"]}),
    "b64=false": lambda: token({"b64": False, "crit": ["b64"]}),
    "b64=false without crit": lambda: token({"b64": False}),
    "a header named twice": lambda: with_header(b'{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"first"}'),
    "a claim named twice": lambda: resigned(json.dumps(claims()).encode()[:-1] + b', "client_id": "other"}'),
    "claims that are a list": lambda: resigned(b"[]"),
    "claims that are no JSON": lambda: resigned(b"{"),
    "claims that are no UTF-8": lambda: resigned(b'{"iss": "\xff"}'),
    "a header that is a list": lambda: with_header(b"[]"),
    "a deep header": lambda: with_header(b"[" * 2_000 + b"]" * 2_000),
    "oversize": lambda: token(note="x" * 4_096),
    "padding": lambda: token() + "==",
    "a space within": lambda: token().replace(".", ". ", 1),
    "not base64": lambda: "ä.ö.ü",
    "dots only": lambda: "..",
}  # fmt: skip


@pytest.fixture(scope="module")
async def reached() -> list[str]:
    return []


@pytest.fixture(scope="module")
async def caller(reached: list[str]) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls the sample API, which believes tokens."""
    authentication = Authentication(_NoKeys(), tokens=verifier(SystemClock()))
    app = create_app(service="t", title="t", version="1", api_keys=authentication, routers=[routes(reached)])
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        yield http


class _NoKeys:
    def authenticate(self, bearer: str) -> Any:
        raise Unauthenticated("no key is known")

    async def ask_for_news(self) -> None: ...


async def pay(caller: httpx2.AsyncClient, bearer: str) -> httpx2.Response:
    headers = [
        (b"authorization", b"Bearer " + bearer.encode("latin-1")),
        (b"idempotency-key", b"k-1"),
    ]
    return await caller.post("/v1/payments", json={"debtor": "a", "amount_minor": 1}, headers=headers)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_or_stale_token_is_refused(
    caller: httpx2.AsyncClient, reached: list[str], attack: str
) -> None:
    answer = await pay(caller, ATTACKS[attack]())
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="florin", error="invalid_token"'
    assert reached == []


# Made when they are needed: a token lasts ten minutes, and the tests may take longer.
GOOD: dict[str, Callable[[], str]] = {
    "as it is": token,
    "the type's other spelling": lambda: token({"typ": "application/AT+JWT"}),
    "ES256": lambda: token({"alg": "ES256", "kid": "curve"}, key=CURVE_KEY),
    "for others too": lambda: token(aud=["other", "florin"]),
    "by a clock that is ahead": lambda: token(iat=later(seconds=15)),
    "a header that says nothing": lambda: token({"x5t": "harmless"}),
    "scopes of others": lambda: token(scope="payments:write something:else openid"),
}


@pytest.mark.parametrize("good", GOOD)
async def test_a_good_token_tells_who_calls(
    caller: httpx2.AsyncClient, reached: list[str], good: str
) -> None:
    answer = await pay(caller, GOOD[good]())
    assert (answer.status_code, answer.json().get("client")) == (202, "demo"), answer.text
    reached.clear()


async def test_a_token_without_the_scope_is_told_which_it_lacks(caller: httpx2.AsyncClient) -> None:
    answer = await pay(caller, token(scope="payments:read"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.headers["www-authenticate"].endswith('error="insufficient_scope", scope="payments:write"')


def test_a_persons_token_names_person_tenant_and_second_factor() -> None:
    shown = later(minutes=-2)
    content = claims(sub=PERSON, second_factor_at=shown, amr=["pwd", "otp"], auth_time=shown)
    client = verifier().verify(sign(KEY, GOOD_HEADER, json.dumps(content).encode())).client
    assert (client.id, client.actor, client.credential) == ("demo", PERSON, f"token:{content['jti']}")
    assert client.second_factor_at == datetime.fromtimestamp(shown, UTC)
    assert client.is_person


def test_a_token_that_was_good_ends_at_its_expiry() -> None:
    clock = StillClock()
    known = verifier(clock)
    good = token(exp=later(seconds=60))
    assert known.verify(good) is known.verify(good), "verified once"
    clock.move(seconds=61)
    with pytest.raises(Unauthenticated):
        known.verify(good)


def test_a_withdrawn_key_ends_what_it_has_signed() -> None:
    keys = key_set(KEY, CURVE_KEY)
    known = TokenVerifier(ISSUER, "florin", keys, StillClock())
    good = token()
    known.verify(good)
    keys.keys = key_set(CURVE_KEY).keys
    with pytest.raises(Unauthenticated):
        known.verify(good)


def test_no_more_tokens_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_REMEMBERED", 2)
    known = verifier()
    first, *others = [token() for _ in range(3)]
    remembered = known.verify(first)
    for one in others:
        known.verify(one)
    assert known.verify(first) is not remembered


def test_before_any_key_is_known_nothing_is_said_of_a_token() -> None:
    empty = KeySet("http://issuer.invalid", httpx2.AsyncClient())
    with pytest.raises(IdentityUnknown):
        TokenVerifier(ISSUER, "florin", empty, StillClock()).verify(token())


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        json.dumps({"keys": [KEY.as_dict(private=True)]}).encode(),
        json.dumps({"keys": [OctKey.import_key(b"s" * 32, {"kid": "x", "alg": "HS256"}).as_dict()]}).encode(),
        json.dumps({"keys": [KEY.as_dict(private=False) | {"use": "enc"}]}).encode(),
        json.dumps({"keys": [KEY.as_dict(private=False) | {"alg": "ES256"}]}).encode(),
        json.dumps({"keys": [KEY.as_dict(private=False) | {"x": "AA"}]}).encode(),
        json.dumps({"keys": [KEY.as_dict(private=False), STRANGER.as_dict(private=False)]}).encode(),
    ],
)
def test_keys_that_cannot_verify_are_not_taken(document: bytes) -> None:
    with pytest.raises(Unusable):
        read_keys(document)
