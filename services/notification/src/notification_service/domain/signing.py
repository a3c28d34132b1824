"""Signatures by the Standard Webhooks specification, symmetric scheme `v1`."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

SECRET_BYTES: Final = 32
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64
# One current secret and the overlapping ones before it; a longer header would only serve an attacker.
MAX_LIVE_SECRETS: Final = 5


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """The bytes both sides share; its text form `whsec_<base64>` is shown to the client exactly once."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not MIN_SECRET_BYTES <= len(self.key) <= MAX_SECRET_BYTES:
            raise ValueError(f"a signing secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")

    def reveal(self) -> str:
        """The secret in the specification's text form, for the one answer that may carry it."""
        return "whsec_" + base64.b64encode(self.key).decode("ascii")


def signature_header(
    secrets: Sequence[SigningSecret], *, webhook_id: str, timestamp: int, body: bytes
) -> str:
    """`webhook-signature`: one `v1,<base64 HMAC-SHA256>` for each secret, separated by spaces."""
    if not 1 <= len(secrets) <= MAX_LIVE_SECRETS:
        raise ValueError(f"between 1 and {MAX_LIVE_SECRETS} secrets sign a webhook")
    # The parts are joined by dots: an id with a dot in it could pass for another id and timestamp.
    if "." in webhook_id:
        raise ValueError("a webhook id contains no dot")
    content = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.new(secret.key, content, hashlib.sha256).digest() for secret in secrets)
    return " ".join("v1," + base64.b64encode(digest).decode("ascii") for digest in digests)
