"""One-time codes by time: RFC 6238 with SHA-1, six digits, thirty seconds, as authenticators have it."""

import base64
import hmac
import struct
from datetime import datetime
from urllib.parse import quote, urlencode

SECRET_BYTES = 20
STEP_S = 30
DIGITS = 6
# A code of the step before or after still counts: people are slow, and telephones' clocks wrong.
WINDOW = 1


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """The code of one step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_at(at: datetime) -> int:
    """The step an instant lies in."""
    return int(at.timestamp()) // STEP_S


def matching_step(secret: bytes, code: str, *, at: datetime, after: int) -> int | None:
    """The newest step within the window, above `after`, whose code this is.

    `after` is the last step that was used: it and all before it are spent (RFC 6238, section 5.2). All steps
    are compared, so that the time taken tells nothing.
    """
    now = step_at(at)
    found = None
    for step in range(now - WINDOW, now + WINDOW + 1):
        same = hmac.compare_digest(code_at(secret, step).encode(), code.encode())
        if same and step > after:
            found = step
    return found


def base32(secret: bytes) -> str:
    """The secret as people type it into an authenticator."""
    return base64.b32encode(secret).decode().rstrip("=")


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """The `otpauth://` address that authenticators read from a QR code."""
    label = f"{quote(issuer)}:{quote(account)}"
    facts = {"secret": base32(secret), "issuer": issuer, "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(facts)}"
