"""Account references: what a client may call an account, and the names the books keep for themselves."""

import re
from enum import StrEnum
from typing import Final

# The first character is a letter or digit, so that no reference is "." or ".." in a URL's path.
REFERENCE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
RESERVED_PREFIX: Final = "system:"

_REFERENCE: Final = re.compile(REFERENCE_PATTERN.removesuffix("$") + r"\Z")


class SystemPurpose(StrEnum):
    """What a client's system account is for; each is opened per currency when first needed."""

    OPENING_BALANCES = "opening-balances"
    SETTLEMENT = "settlement"


def is_reference(text: str) -> bool:
    """True for 1..64 of letters, digits and `._:-`, beginning with a letter or digit (ASCII only)."""
    return _REFERENCE.match(text) is not None


def is_reserved(reference: str) -> bool:
    """True for names under the prefix of system accounts, in any case: "System:x" would only mislead."""
    return reference.lower().startswith(RESERVED_PREFIX)


def system_reference(purpose: SystemPurpose, currency: str) -> str:
    """The reference of a system account, e.g. `system:opening-balances:CZK`."""
    return f"{RESERVED_PREFIX}{purpose}:{currency}"
