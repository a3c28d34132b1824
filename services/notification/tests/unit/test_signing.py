"""Signatures, against the specification's own library."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_service.domain.signing import SigningSecret, signature_header
from standardwebhooks.webhooks import Webhook


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1, max_size=200))
def test_oracle_makes_the_same_signature(key: bytes, body: str) -> None:
    secret, at = SigningSecret(key), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    encoded = body.encode("utf-8", "replace")
    ours = signature_header([secret], webhook_id="evt_1", timestamp=int(at.timestamp()), body=encoded)
    assert ours == Webhook(secret.reveal()).sign("evt_1", at, encoded.decode())


def test_known_vector() -> None:
    """The example of the specification's libraries."""
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    webhook = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}') == signature_header(
        [SigningSecret(webhook._whsecret)],
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1_614_265_330,
        body=b'{"test": 2432232314}',
    )


def test_every_secret_signs_in_order() -> None:
    secrets = [SigningSecret(bytes([n]) * 32) for n in range(3)]
    header = signature_header(secrets, webhook_id="evt_1", timestamp=1, body=b"{}")
    singles = [signature_header([s], webhook_id="evt_1", timestamp=1, body=b"{}") for s in secrets]
    assert header.split(" ") == singles


def test_secret_does_not_show_itself() -> None:
    secret = SigningSecret(b"k" * 32)
    assert "kkk" not in repr(secret)
    assert "kkk" not in f"{secret!s}"


@pytest.mark.parametrize("size", [0, 23, 65])
def test_secret_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        SigningSecret(b"k" * size)


def test_id_with_a_dot_is_not_signed() -> None:
    """It could pass for another id and timestamp."""
    with pytest.raises(ValueError, match="dot"):
        signature_header([SigningSecret(b"k" * 32)], webhook_id="a.1", timestamp=1, body=b"")
