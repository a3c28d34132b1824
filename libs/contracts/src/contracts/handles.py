"""Handles: what a person can be paid under, a mobile number or an e-mail address.

However one is spelled it has one canonical form; and what services keep and tell each other of it is only a
keyed hash of that form, from which nobody without the key learns whether a guess was right.
"""

import hashlib
import hmac
import re
import unicodedata
from typing import Final, Literal

import idna
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

HandleKind = Literal["mobile", "email"]

MAX_MOBILE_TEXT: Final = 40
MAX_EMAIL_TEXT: Final = 254
HANDLE_PATTERN: Final = r"^[0-9a-f]{64}$"

_LABEL: Final = "florin.handle.v1"
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_REGION: Final = re.compile(r"[A-Z]{2}")
_SPELLING: Final = re.compile(r"\(?\+?[0-9 ()./-]+")
# Where a number plan does not tell mobile numbers from others, the second type is all that is known.
_MOBILE_TYPES: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_MAX_LOCAL_PART: Final = 64
_ATOM_SIGNS: Final = frozenset("!#$%&'*+-/=?^_`{|}~")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+$)[a-z0-9-]{2,63}")


class InvalidHandle(ValueError):
    """The text names nobody. `code` is stable; the message never quotes the text."""

    code = "invalid_handle"


class InvalidMobile(InvalidHandle):
    """The text is no mobile number that is in use anywhere, or one of a country that is not known."""

    code = "invalid_mobile"


class InvalidEmail(InvalidHandle):
    """The text is no e-mail address."""

    code = "invalid_email"


def canonical_mobile(text: str, *, region: str | None = None) -> str:
    """The number in E.164 (`+420601123456`), from any national or international spelling.

    `region` is the country (ISO 3166, `CZ`) whose national spellings are understood; without one a number
    must begin with `+`. Raises InvalidMobile.
    """
    spelled = "".join(_plain(sign) for sign in text).strip() if len(text) <= MAX_MOBILE_TEXT else ""
    # The library would read letters as the digits they share a key with.
    if _SPELLING.fullmatch(spelled) is None:
        raise InvalidMobile("must be a mobile number, such as +420 601 123 456")
    if region is None and not spelled.startswith(("+", "(+")):
        raise InvalidMobile("must begin with + and the country's code")
    try:
        number = phonenumbers.parse(spelled, region)
    except NumberParseException:
        raise InvalidMobile("must be a mobile number, such as +420 601 123 456") from None
    if not phonenumbers.is_valid_number(number):
        raise InvalidMobile("is not a number that its country gives out")
    if phonenumbers.number_type(number) not in _MOBILE_TYPES:
        raise InvalidMobile("is not a mobile number")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def canonical_email(text: str) -> str:
    """The address in NFKC and lower case, its domain as DNS asks for it (`xn--…`).

    Some hosts tell upper case from lower in what stands before the @; two people who differ only so cannot
    both be registered, which is safer than paying one for the other. Raises InvalidEmail.
    """
    refusal = InvalidEmail("must be an e-mail address, such as jana.nova@example.com")
    if len(text) > MAX_EMAIL_TEXT:
        raise refusal
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower()).strip()
    local, at, domain = folded.rpartition("@")
    if not at or not _is_local_part(local):
        raise refusal
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except UnicodeError:  # idna's own errors among them
        raise refusal from None
    address = f"{local}@{ascii_domain}"
    if _DOMAIN.fullmatch(ascii_domain) is None or len(address.encode()) > MAX_EMAIL_TEXT:
        raise refusal
    return address


def handle(kind: HandleKind, client_id: str, canonical: str, key: bytes) -> str:
    """The keyed hash by which a client's customer is known under this handle: 64 hex digits.

    HMAC-SHA-256 over label, kind, client id and canonical form, each with its length in front: no two inputs
    run together, and the same number has other hashes with other clients.
    """
    keyed = hmac.new(key, digestmod=hashlib.sha256)
    for part in (_LABEL, kind, client_id, canonical):
        encoded = part.encode()
        keyed.update(len(encoded).to_bytes(4, "big"))
        keyed.update(encoded)
    return keyed.hexdigest()


def read_handle_key(text: str) -> bytes:
    """The key from its setting's text, 64 hex digits; raises ValueError, which does not quote it."""
    if _KEY.fullmatch(text) is None:
        raise ValueError("must be 64 hex digits: 256 random bits")
    return bytes.fromhex(text)


def is_region(text: str) -> bool:
    """True for a country (ISO 3166) whose national spellings are known."""
    return _REGION.fullmatch(text) is not None and text in phonenumbers.SUPPORTED_REGIONS


def _plain(sign: str) -> str:
    """One sign as ASCII: digits of any script, dashes and spaces of any width, no marks of direction."""
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    match unicodedata.category(sign):
        case "Zs":
            return " "
        case "Pd":
            return "-"
        case "Cf":
            return ""
        case _:
            return unicodedata.normalize("NFKC", sign)


def _is_local_part(text: str) -> bool:
    """True for atoms between single dots (RFC 5321 without quoting, RFC 6531 with letters of any script)."""
    return 0 < len(text.encode(errors="surrogatepass")) <= _MAX_LOCAL_PART and all(
        atom and all(_is_atom_sign(sign) for sign in atom) for atom in text.split(".")
    )


def _is_atom_sign(sign: str) -> bool:
    if sign.isascii():
        return sign.isalnum() or sign in _ATOM_SIGNS
    return unicodedata.category(sign)[0] in "LMN"
