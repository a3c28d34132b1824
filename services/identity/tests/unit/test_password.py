"""Which passwords may be chosen."""

import pytest
from identity_service.domain.password import PasswordRefused, normalised, refuse_unfit

BREACHED = frozenset({"password123", "correct horse"})
ABOUT = ("Jana", "Nová", "jana.nova@example.com", "jana.nova", "florin")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("7 signs", "password_too_short"),
        ("x" * 129, "password_too_long"),
        ("password123", "password_breached"),
        ("PassWord123", "password_breached"),
        ("ＰａｓｓＷｏｒｄ１２３", "password_breached"),
        ("jananová99", "password_guessable"),
        ("Florin2026", "password_guessable"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, code: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        refuse_unfit(normalised(password), breached=BREACHED, about=ABOUT)
    assert refused.value.code == code
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "8 signs!",
        "onlylowercaseletters",
        "čárky a háčky",
        "x" * 128,
        "my florin is a coin of gold",
        "🦊 and 🐺 run",
    ],
)
def test_nothing_but_length_and_luck_is_asked(password: str) -> None:
    refuse_unfit(normalised(password), breached=BREACHED, about=ABOUT)


def test_two_keyboards_type_one_password() -> None:
    assert normalised("e\u0301clair au cafe\u0301") == normalised("\u00e9clair au caf\u00e9")
