"""Recovery codes are read as people write them, and kept as what tells nothing."""

import secrets

import pytest
from identity_service.domain import recovery


def test_ten_codes_differ_and_are_read_back() -> None:
    codes = recovery.new_codes(secrets.token_bytes)
    assert len(set(codes)) == 10
    assert {recovery.canonical(code) for code in codes} == {code.replace("-", "") for code in codes}


@pytest.mark.parametrize("spelled", ["7k2m 9qrs 0atv xyz3", "7K2M-9QRS-OATV-XYZ3", "7K2M9QRS0ATVXYZ3"])
def test_spelling_makes_no_difference(spelled: str) -> None:
    assert recovery.canonical(spelled) == "7K2M9QRS0ATVXYZ3"


@pytest.mark.parametrize("text", ["", "123456", "7K2M-9QRS-0ATV-XYZ", "7K2M-9QRS-0ATV-XYZU", "é" * 16])
def test_what_is_no_code_is_not_read_as_one(text: str) -> None:
    assert recovery.canonical(text) is None


def test_digests_differ_by_key_and_person() -> None:
    code = "7K2M9QRS0ATVXYZ3"
    made = {
        recovery.digest(code, key=key, person=person) for key in (b"one", b"two") for person in ("a", "b")
    }
    assert len(made) == 4
