"""RFC 6238's own vectors, and when a code still counts."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from identity_service.domain import totp

SECRET = b"12345678901234567890"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOW = totp.step_at(NOON)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    step = totp.step_at(datetime.fromtimestamp(second, UTC))
    assert totp.code_at(SECRET, step, digits=8) == code


@pytest.mark.parametrize(("off", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_counts_one_step_either_way(off: int, counts: bool) -> None:
    code = totp.code_at(SECRET, NOW + off)
    assert (totp.matching_step(SECRET, code, at=NOON, after=0) is not None) is counts


def test_a_used_step_and_all_before_it_are_spent() -> None:
    earlier, present = totp.code_at(SECRET, NOW - 1), totp.code_at(SECRET, NOW)
    assert totp.matching_step(SECRET, present, at=NOON, after=NOW) is None
    assert totp.matching_step(SECRET, earlier, at=NOON, after=NOW) is None
    assert totp.matching_step(SECRET, present, at=NOON, after=NOW - 1) == NOW


def test_authenticators_are_told_all_they_need() -> None:
    address = urlsplit(totp.provisioning_uri(SECRET, issuer="Florin", account="jana@example.com"))
    told = parse_qs(address.query)
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Florin:jana%40example.com")
    assert base64.b32decode(told["secret"][0]) == SECRET
    assert (told["issuer"], told["digits"], told["period"]) == (["Florin"], ["6"], ["30"])
