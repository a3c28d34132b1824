"""Bad input over a real socket: a 4xx with a stable code, no side effect, never a 5xx, never a hang."""

import asyncio

import pytest

from .sample_api import BODY_BYTES, Answer, Sample, api_key

GOOD = b'{"debtor":"alice","amount_minor":5}'
AUTH = f"authorization: Bearer {api_key('abcdefgh')}".encode()


def post(body: bytes, *headers: bytes, target: bytes = b"/v1/payments", length: int | None = None) -> bytes:
    lines = [
        b"POST " + target + b" HTTP/1.1",
        b"host: sample",
        AUTH,
        b"idempotency-key: k-1",
        *(headers or (b"content-type: application/json",)),
        b"content-length: %d" % (len(body) if length is None else length),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"host: sample", AUTH, *headers]) + b"\r\n\r\n"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = [
        b"POST /v1/payments HTTP/1.1",
        b"host: sample",
        AUTH,
        b"idempotency-key: k-1",
        b"content-type: application/json",
        b"transfer-encoding: chunked",
    ]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"\r\n".join(head) + b"\r\n\r\n" + body + end


JSON_BODIES = [
    (b"", 422, "invalid_request"),
    (b"{", 400, "invalid_json"),
    (b"nonsense", 400, "invalid_json"),
    (b"\xef\xbb\xbf{}", 400, "invalid_json"),
    (b'{"debtor":"\xff"}', 400, "invalid_json"),
    (b'{"debtor":"a\x00b"}', 400, "invalid_json"),
    (b'{"debtor":"a","amount_minor":NaN}', 400, "invalid_json"),
    (b'{"debtor":"a","amount_minor":Infinity}', 400, "invalid_json"),
    (b'{"debtor":"a","amount_minor":1e999}', 400, "invalid_json"),
    (b'{"debtor":"a","amount_minor":' + b"9" * 1_900 + b"}", 422, "invalid_request"),
    (b'{"debtor":"a","debtor":"b","amount_minor":5}', 400, "duplicate_key"),
    (b'{"debtor":"a","amount_minor":5,"tags":{"x":1,"x":2}}', 400, "duplicate_key"),
    (b'{"debtor":"a\\u0000b","amount_minor":5}', 400, "invalid_text"),
    (b'{"debtor":"\\ud800","amount_minor":5}', 400, "invalid_text"),
    (b'{"debtor":"a","amount_minor":5,"tags":{"\\udfff":1}}', 400, "invalid_text"),
    (b'{"debtor":"a","amount_minor":5,"tags":{"x":' + b"[" * 9 + b"]" * 9 + b"}}", 400, "json_too_deep"),
    (b"[" * 1_999, 400, "json_too_deep"),
    (b"[]" * 200, 400, "invalid_json"),
    (b'{"debtor":"a","amount_minor":5.0}', 422, "invalid_request"),
    (b'{"debtor":"a","amount_minor":"5"}', 422, "invalid_request"),
    (b'{"debtor":"a","amount_minor":true}', 422, "invalid_request"),
    (b'{"debtor":"a","amount_minor":-1}', 422, "invalid_request"),
    (b'{"debtor":"a","amount_minor":5,"status":"SETTLED"}', 422, "invalid_request"),
    (b"[]", 422, "invalid_request"),
    (b"null", 422, "invalid_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), JSON_BODIES)
async def test_a_bad_body_is_refused_with_its_code(
    served: Sample, body: bytes, status: int, code: str
) -> None:
    answer = await served.send(post(body))
    assert (answer.status, answer.code) == (status, code)
    assert served.reached == []


REQUESTS = [
    ("form", post(b"a=1", b"content-type: application/x-www-form-urlencoded"), 415, "unsupported_media_type"),
    ("no type", post(GOOD, b"x-none: 1"), 415, "unsupported_media_type"),
    (
        "latin-1",
        post(GOOD, b"content-type: application/json; charset=latin-1"),
        415,
        "unsupported_media_type",
    ),
    (
        "two types",
        post(GOOD, b"content-type: application/json", b"content-type: text/plain"),
        415,
        "unsupported_media_type",
    ),
    (
        "gzip",
        post(GOOD, b"content-type: application/json", b"content-encoding: gzip"),
        415,
        "unsupported_encoding",
    ),
    ("announced too large", post(b"", length=BODY_BYTES + 1), 413, "body_too_large"),
    ("announced absurdly", post(b"", length=10**18), 413, "body_too_large"),
    ("chunks too large", chunked(*[b" " * 500] * 6, end=b""), 413, "body_too_large"),
    ("body on GET", get(b"/v1/payments/1", b"content-length: 2") + b"{}", 400, "unexpected_body"),
    ("chunked GET", get(b"/v1/payments/1", b"transfer-encoding: chunked"), 400, "unexpected_body"),
    ("long target", get(b"/v1/payments/1?x=" + b"y" * 1_000), 414, "uri_too_long"),
    ("NUL in path", get(b"/v1/payments/%00"), 400, "invalid_address"),
    ("NUL in query", get(b"/v1/payments/1?limit=%00"), 400, "invalid_address"),
    ("bad UTF-8 in path", get(b"/v1/payments/%ff"), 400, "invalid_address"),
    ("surrogate in query", get(b"/v1/payments/1?limit=%ed%a0%80"), 400, "invalid_address"),
    ("many headers", get(b"/v1/payments/1", *[b"x: 1"] * 50), 431, "headers_too_large"),
    ("large headers", get(b"/v1/payments/1", b"x: " + b"y" * 9_000), 431, "headers_too_large"),
    ("endless header", get(b"/v1/payments/1", b"x: " + b"y" * 70_000)[:-4], 431, "headers_too_large"),
    ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3, 400, "bad_request"),
    ("bad method", b"G(T /v1/payments/1 HTTP/1.1\r\n\r\n", 400, "bad_request"),
    ("raw NUL in path", get(b"/v1/payments/\x00"), 400, "bad_request"),
    ("raw bytes in path", get(b"/v1/payments/\xff\xfe"), 400, "bad_request"),
    ("header with NUL", get(b"/v1/payments/1", b"x: a\x00b"), 400, "bad_request"),
    ("negative length", post(b"", length=-5), 400, "bad_request"),
    (
        "length and chunks",
        post(b"0\r\n\r\n", b"content-type: application/json", b"transfer-encoding: chunked"),
        400,
        "bad_request",
    ),
    ("bad chunk", chunked(end=b"zz\r\n"), 400, "bad_request"),
    ("unknown route", get(b"/v2/none"), 404, "not_found"),
    ("stray slash", post(GOOD, target=b"/v1/payments/"), 404, "not_found"),
    ("method", get(b"/v1/payments"), 405, "method_not_allowed"),
    ("path not a number", get(b"/v1/payments/x"), 422, "invalid_request"),
    ("query not a number", get(b"/v1/payments/1?limit=1.5"), 422, "invalid_request"),
]


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_bad_request_is_refused_with_its_code(
    served: Sample, request_bytes: bytes, status: int, code: str
) -> None:
    answer = await served.send(request_bytes)
    assert (answer.status, answer.code) == (status, code)
    assert served.reached == []


async def test_a_good_request_passes_in_every_way_it_can_be_cut(served: Sample) -> None:
    whole = post(GOOD)
    assert (await served.send(whole)).status == 202
    assert (await served.send(whole[:40], whole[40:-10], whole[-10:])).status == 202
    assert (await served.send(chunked(GOOD[:5], GOOD[5:]))).status == 202
    assert served.reached == ["alice"] * 3


async def test_media_type_may_name_utf8_in_any_case(served: Sample) -> None:
    for value in (b"application/json; charset=UTF-8", b'Application/JSON;charset="utf-8"'):
        assert (await served.send(post(GOOD, b"content-type: " + value))).status == 202


SLOW = [
    ("nothing", b"", "head_timeout"),
    ("half a head", post(GOOD)[:30], "head_timeout"),
    ("half a body", post(GOOD)[:-5], "body_timeout"),
    ("chunks without end", chunked(GOOD[:5], end=b""), "body_timeout"),
    ("empty lines", b"\r\n\r\n", "head_timeout"),
]


@pytest.mark.parametrize(("sent", "code"), [case[1:] for case in SLOW], ids=[case[0] for case in SLOW])
async def test_a_slow_client_is_cut_off_at_the_deadline(served: Sample, sent: bytes, code: str) -> None:
    answer = await served.send(sent)
    assert (answer.status, answer.code) == (408, code)
    assert served.reached == []


async def test_bytes_that_trickle_do_not_move_the_deadline(served: Sample) -> None:
    """One byte now and then used to restart a keep-alive timer; the deadline is for the whole head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def trickle() -> None:
        for byte in post(GOOD):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(3):
        answer = await Answer.read(reader)
    trickling.cancel()
    writer.close()
    assert answer.code == "head_timeout"


async def test_a_second_request_on_a_connection_is_served_and_has_its_own_deadline(served: Sample) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    async with asyncio.timeout(3):
        writer.write(post(GOOD))
        assert (await Answer.read(reader)).status == 202
        writer.write(post(GOOD) + post(GOOD)[:-3])
        assert (await Answer.read(reader)).status == 202
        assert (await Answer.read(reader)).code == "body_timeout"
        assert await reader.read() == b""
    writer.close()
