"""The list that ships knows what everybody knows."""

from pathlib import Path

import pytest
from identity_service.domain.password import PasswordRefused, refuse_unfit
from identity_service.persistence.breached_passwords import BreachList, BreachListError, mark

SHIPPED = BreachList.load()


@pytest.mark.parametrize(
    "password", ["password1", "Password1", "qwertyuiop", "iloveyou", "1q2w3e4r5t", "trustno1"]
)
def test_what_everybody_chooses_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        refuse_unfit(password, breached=SHIPPED)
    assert refused.value.code == "password_breached"


def test_the_list_is_of_some_size_and_says_no_to_others() -> None:
    assert len(SHIPPED) > 10_000
    assert "a fox ran over the ledger" not in SHIPPED


def test_an_operator_may_bring_another_list(tmp_path: Path) -> None:
    path = tmp_path / "list.bin"
    path.write_bytes(mark("our old secret"))
    assert "our old secret" in BreachList.load(path)


@pytest.mark.parametrize("content", [b"", b"password1\n"])
def test_a_text_file_is_not_taken_for_a_list(content: bytes) -> None:
    with pytest.raises(BreachListError):
        BreachList(content)
