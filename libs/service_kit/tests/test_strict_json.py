"""What strict JSON is: every well-formed value passes; what parsers read in two ways does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_kit.strict_json import JsonRefused, parse

# Text that Postgres can store: no NUL, no half surrogate.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_every_json_value_passes_escaped_or_not(value: object) -> None:
    parse(json.dumps(value).encode(), max_depth=60)
    parse(json.dumps(value, ensure_ascii=False).encode(), max_depth=60)


@given(st.integers(1, 40), st.integers(0, 3))
def test_depth_is_counted_exactly_and_brackets_in_texts_are_not(depth: int, beside: int) -> None:
    text = ("[" * depth + '"[[[{{{\\"]"' + "]" * depth) + "".join("" for _ in range(beside))
    document = f"[{text}{',[]' * (40 + beside)}]"
    if depth + 1 <= 20:
        parse(document.encode(), max_depth=20)
    else:
        with pytest.raises(JsonRefused, match="deeper than 20"):
            parse(document.encode(), max_depth=20)


def test_an_escaped_backslash_before_u_is_no_escape() -> None:
    parse(rb'{"path":"C:\\u0000"}')
    parse(rb'{"pair":"\ud83d\ude00"}')


def test_a_wide_document_at_the_depth_limit_passes() -> None:
    parse(json.dumps([{"a": [{"b": 1}]}] * 1_000).encode(), max_depth=4)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'[{"b":{"a":1,"\\u0061":2}}]', "duplicate_key"),
        (b"[-Infinity]", "invalid_json"),
        (b"[1" + b"0" * 5_000 + b"]", "invalid_json"),
        (b"[01]", "invalid_json"),
        (b"['a']", "invalid_json"),
        (b"[1,]", "invalid_json"),
        (b"// a\n1", "invalid_json"),
        (b'["\\ud83d"]', "invalid_text"),
        (b'["\\uDE00\\uD83D"]', "invalid_text"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(JsonRefused) as refused:
        parse(text)
    assert refused.value.code == code
