"""What may be a password, by NIST SP 800-63B: long enough, not known to attackers, and nothing else asked."""

import unicodedata
from collections.abc import Container, Iterable

# Eight will do because nobody here signs in by a password alone; without a second factor it would be fifteen.
MIN_LENGTH = 8
MAX_LENGTH = 128
# What must be left of a password without the words that anyone would try first for this person.
MIN_OWN = 6
_MIN_WORD = 4


class PasswordRefused(ValueError):
    """The password may not be used. `code` is stable; the message never quotes it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def normalised(password: str) -> str:
    """The password as it is hashed: NFKC, so that every keyboard types the same one."""
    return unicodedata.normalize("NFKC", password)


def refuse_unfit(password: str, *, breached: Container[str], about: Iterable[str] = ()) -> None:
    """Raises PasswordRefused for a normalised password that is too short, too long, or easily guessed.

    `breached` holds passwords in `folded` form; `about` are words about the person and this service.
    """
    if len(password) < MIN_LENGTH:
        raise PasswordRefused("password_too_short", f"must have at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise PasswordRefused("password_too_long", f"must have at most {MAX_LENGTH} characters")
    plain = folded(password)
    if plain in breached:
        raise PasswordRefused("password_breached", "is among the passwords that attackers try first")
    own = plain
    for word in sorted({folded(word) for word in about}, key=len, reverse=True):
        if len(word) >= _MIN_WORD:
            own = own.replace(word, "")
    if own != plain and len(own) < MIN_OWN:
        raise PasswordRefused("password_guessable", "is made of your name, your address or ours")


def folded(password: str) -> str:
    """The form in which passwords are compared with lists: capitals make no difference to a guesser."""
    return normalised(password).casefold()
