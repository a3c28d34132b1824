"""One person's number or address has one canonical form, however it is spelled, and one hash under a key."""

import phonenumbers
import pytest
from contracts.handles import (
    InvalidEmail,
    InvalidMobile,
    canonical_email,
    canonical_mobile,
    handle,
    is_region,
    read_handle_key,
)
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

KEY = bytes(range(32))
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def _example(region: str) -> phonenumbers.PhoneNumber | None:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    fits = number is not None and phonenumbers.number_type(number) in _MOBILE
    return number if fits else None


EXAMPLES = {
    region: number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := _example(region)) is not None
}
regions = st.sampled_from(sorted(EXAMPLES))


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def test_most_countries_have_an_example() -> None:
    assert len(EXAMPLES) > 200


@pytest.mark.parametrize("region", EXAMPLES)
def test_every_countrys_national_spelling_comes_to_one_form(region: str) -> None:
    number = EXAMPLES[region]
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    assert canonical_mobile(national, region=region) == _e164(number)


@pytest.mark.parametrize("region", EXAMPLES)
def test_every_countrys_international_spelling_is_understood_anywhere(region: str) -> None:
    number = EXAMPLES[region]
    spelled = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    assert canonical_mobile(spelled) == canonical_mobile(spelled, region="US") == _e164(number)


@given(region=regions, data=st.data())
def test_spaces_and_signs_between_the_digits_change_nothing(region: str, data: st.DataObject) -> None:
    number = _e164(EXAMPLES[region])
    between = st.sampled_from(["", " ", "-", ".", " ", "–", "\u202f"])
    spelled = number[0] + "".join(data.draw(between) + digit for digit in number[1:])
    assert canonical_mobile(spelled[:40]) == number


@given(region=regions, zero=st.sampled_from("٠۰०０"))
def test_digits_of_every_script_are_digits(region: str, zero: str) -> None:
    number = _e164(EXAMPLES[region])
    spelled = "".join(chr(ord(zero) + int(sign)) if sign.isdigit() else sign for sign in number)
    assert canonical_mobile(spelled) == number


@given(region=regions)
def test_a_canonical_number_is_its_own_canonical_form(region: str) -> None:
    number = canonical_mobile(_e164(EXAMPLES[region]))
    assert canonical_mobile(number) == canonical_mobile(number, region="CZ") == number


@pytest.mark.parametrize(
    "spelled",
    [
        "601 123 456",
        "601123456",
        "+420 601 123 456",
        "00420 601 123 456",
        "(+420) 601-123-456",
        "\u202a+420 601 123 456\u202c",
        "＋420 601 123 456",
        " 601\u00a0123\u00a0456 ",
    ],
)
def test_the_spellings_of_one_czech_number(spelled: str) -> None:
    assert canonical_mobile(spelled, region="CZ") == "+420601123456"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "12",
        "+420",
        "+420 601 123",
        "+420 601 123 456 7",
        "+420 224 123 456",  # a fixed line
        "+1 800 356 9377",
        "+1-800-FLOWERS",
        "+420 601 123 456 ext. 5",
        "+420601123456;ext=5",
        "tel:+420601123456",
        "++420601123456",
        "+420601123456\n+420601123457",
        "+999 601 123 456",
        "jana@example.com",
        "+420601123456\0",
        "\ud800",
        "+" + "4" * 400,
    ],
)
def test_what_is_no_mobile_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidMobile) as refused:
        canonical_mobile(text, region="CZ")
    assert refused.value.code == "invalid_mobile"


def test_a_refusal_does_not_quote_what_was_sent() -> None:
    with pytest.raises(InvalidMobile) as mobile:
        canonical_mobile("+420 601 999", region="CZ")
    with pytest.raises(InvalidEmail) as email:
        canonical_email("petra.stara@example")
    assert "999" not in f"{mobile.value!r} {mobile.value}"
    assert "petra" not in f"{email.value!r} {email.value}"


def test_a_national_number_of_no_known_country_is_refused() -> None:
    with pytest.raises(InvalidMobile):
        canonical_mobile("601 123 456")


@given(st.text(max_size=60))
def test_any_text_is_a_mobile_number_or_refused(text: str) -> None:
    try:
        number = canonical_mobile(text, region="DE")
    except InvalidMobile:
        return
    assert canonical_mobile(number) == number


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("jana.nova@example.com", "jana.nova@example.com"),
        (" Jana.Nova@EXAMPLE.com ", "jana.nova@example.com"),
        ("ｊａｎａ＠example.com", "jana@example.com"),
        ("jana+wallet@example.co.uk", "jana+wallet@example.co.uk"),
        ("JOSE\u0301@example.com", "josé@example.com"),
        ("josé@example.com", "josé@example.com"),
        ("jana@PŘÍKLAD.cz", "jana@xn--pklad-zsa96e.cz"),
        ("jana@xn--pklad-zsa96e.CZ", "jana@xn--pklad-zsa96e.cz"),
        ("o'brien@example.ie", "o'brien@example.ie"),
    ],
)
def test_the_spellings_of_an_address_come_to_one_form(spelled: str, canonical: str) -> None:
    assert canonical_email(spelled) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "jana",
        "jana@",
        "@example.com",
        "jana@example",
        "jana@@example.com",
        "ja na@example.com",
        "jana@exa mple.com",
        ".jana@example.com",
        "jana.@example.com",
        "ja..na@example.com",
        "jana@example..com",
        "jana@-example.com",
        "jana@exa_mple.com",
        "jana@127.0.0.1",
        "jana@[127.0.0.1]",
        '"jana nova"@example.com',
        "Jana <jana@example.com>",
        "jana@example.com,eva@example.com",
        "jana\0@example.com",
        "jana\u202e@example.com",
        "\ud800@example.com",
        "jana@\ud800.com",
        "x" * 65 + "@example.com",
        "jana@" + "x" * 64 + ".com",
        "jana@" + "x." * 130 + "com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmail) as refused:
        canonical_email(text)
    assert refused.value.code == "invalid_email"


@given(st.emails() | st.text(max_size=30).map(lambda local: f"{local}@Example.COM") | st.text(max_size=60))
def test_any_text_is_an_address_in_its_one_form_or_refused(text: str) -> None:
    try:
        address = canonical_email(text)
    except InvalidEmail:
        return
    assert canonical_email(address) == address
    assert canonical_email(f" {address.upper()}") == canonical_email(address.upper())


def test_a_handle_depends_on_each_of_its_parts() -> None:
    told = {
        handle("mobile", "bank", "+420601123456", KEY),
        handle("email", "bank", "+420601123456", KEY),
        handle("mobile", "other", "+420601123456", KEY),
        handle("mobile", "bank", "+420601123457", KEY),
        handle("mobile", "bank", "+420601123456", bytes(32)),
        # The same letters, cut elsewhere.
        handle("mobile", "bank+", "420601123456", KEY),
    }
    assert len(told) == 6
    assert all(len(one) == 64 for one in told)


def test_a_handle_stays_what_it_is() -> None:
    # Stored by two services: another value would make every customer unknown.
    assert handle("mobile", "bank", "+420601123456", KEY) == (
        "f7688bc1f13047df29d78167396cf4687c3b8f5d68228f2078a08170af8f1a16"
    )


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "AB" * 32, "zz" * 32, "ab" * 32 + "\n"])
def test_a_key_is_256_bits_in_hex(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        read_handle_key(text)
    assert read_handle_key("ab" * 32) == bytes([0xAB] * 32)


def test_a_region_is_a_country_in_capitals() -> None:
    assert is_region("CZ")
    assert not any(is_region(text) for text in ("cz", "XX", "001", "", "CZE"))
