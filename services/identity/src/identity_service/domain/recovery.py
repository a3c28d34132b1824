"""Recovery codes: for whom the telephone is gone. Each opens once; 80 random bits, so that a keyed hash keeps
them."""

import hashlib
import hmac
from collections.abc import Callable

COUNT = 10
LENGTH = 16
# Crockford's digits: none that is read as another.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans("OIL", "011", "- ")
_GROUP = 4
_BITS = 5


def new_codes(random_bytes: Callable[[int], bytes]) -> tuple[str, ...]:
    """Ten codes like `7K2M-9QRS-0ATV-XYZ3`."""
    return tuple(_grouped(int.from_bytes(random_bytes(LENGTH * _BITS // 8), "big")) for _ in range(COUNT))


def canonical(text: str) -> str | None:
    """The code without its spelling, or None when it is none."""
    code = text.upper().translate(_READ_AS)
    return code if len(code) == LENGTH and all(sign in _DIGITS for sign in code) else None


def digest(code: str, *, key: bytes, person: str) -> bytes:
    """What is kept of a canonical code: of no use to who reads the database, nor for another person."""
    return hmac.digest(key, f"florin.recovery-code.v1\0{person}\0{code}".encode(), hashlib.sha256)


def _grouped(number: int) -> str:
    code = "".join(_DIGITS[number >> _BITS * place & 31] for place in range(LENGTH))
    return "-".join(code[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))
