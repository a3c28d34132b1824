"""Account references: what a client may call an account, and the names the books keep for themselves."""

import base64
import re
from enum import StrEnum
from typing import Final
from uuid import UUID

# The first character is a letter or digit, so that no reference is "." or ".." in a URL's path.
REFERENCE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
RESERVED_PREFIX: Final = "system:"
# Short enough for a reference, with the prefix before it and the currency after it.
SETTLEMENT_NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"

_REFERENCE: Final = re.compile(REFERENCE_PATTERN.removesuffix("$") + r"\Z")


class SystemPurpose(StrEnum):
    """What a client's system account is for; each is opened per currency when first needed."""

    OPENING_BALANCES = "opening-balances"
    SETTLEMENT = "settlement"
    RECEIVABLE = "receivable"
    ADJUSTMENT = "adjustment"


SETTLEMENT_PREFIX: Final = f"{RESERVED_PREFIX}{SystemPurpose.SETTLEMENT}:"


def is_reference(text: str) -> bool:
    """True for 1..64 of letters, digits and `._:-`, beginning with a letter or digit (ASCII only)."""
    return _REFERENCE.match(text) is not None


def is_reserved(reference: str) -> bool:
    """True for names under the prefix of system accounts, in any case: "System:x" would only mislead."""
    return reference.lower().startswith(RESERVED_PREFIX)


def system_reference(purpose: SystemPurpose, currency: str) -> str:
    """The reference of a system account, e.g. `system:opening-balances:CZK`."""
    return f"{RESERVED_PREFIX}{purpose}:{currency}"


def currency_of(system: str) -> str:
    """The currency within a system account's reference."""
    return system.rpartition(":")[2]


def settlement_reference(name: str | None, currency: str) -> str:
    """The reference of a settlement account, e.g. `system:settlement:card-acquirer:CZK`; no name for the
    client's ordinary one."""
    return f"{SETTLEMENT_PREFIX}{name}:{currency}" if name is not None else f"{SETTLEMENT_PREFIX}{currency}"


def settlement_name(reference: str) -> str | None:
    """The name within a settlement account's reference; None for the ordinary one."""
    name, _, _currency = reference.removeprefix(SETTLEMENT_PREFIX).rpartition(":")
    return name or None


def wallet_reference(customer_id: UUID, currency: str) -> str:
    """The reference of a customer's account, e.g. `w:agnxnwxykbylhg3owpokeqdcfa:CZK`: no name, no number."""
    return f"w:{base64.b32encode(customer_id.bytes).decode().rstrip('=').lower()}:{currency}"
