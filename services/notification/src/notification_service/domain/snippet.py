"""What is kept of a receiver's answer: enough to find its fault, nothing that can harm who reads it."""

from typing import Final

MAX_SNIPPET: Final = 500


def sanitise(raw: bytes) -> str:
    """The beginning of a body as printable text on one line; whatever else was in it shows as U+FFFD."""
    text = raw[: MAX_SNIPPET * 4].decode("utf-8", errors="replace")
    # isprintable is false for controls, escapes, bidirectional overrides and NUL (which Postgres refuses).
    clean = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)
    return clean[:MAX_SNIPPET].strip()
