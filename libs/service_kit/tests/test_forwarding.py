"""Where a request comes from, and the id it is spoken of by: a stranger chooses neither what is believed nor
what is logged."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest
from service_kit.boundary import ADDRESS, Boundary
from service_kit.forwarding import ForwardedHeader, TrustedProxies, parse_networks
from service_kit.http import ServerState
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Call = Callable[..., Awaitable[httpx2.Response]]
PROXIES = "10.0.0.0/8, 2001:db8:1::/48"
GOOD_IDS = [
    "0192f0c1-2e4b-7cc3-98c4-dc0c0c07398f",
    "0192F0C12E4B7CC398C4DC0C0C07398F",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
]


def client_of(peer: str, *lines: str, header: ForwardedHeader = "x-forwarded-for") -> str:
    proxies = TrustedProxies(parse_networks(PROXIES), header)
    return proxies.client_of(peer, [line.encode("latin-1") for line in lines])


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        # Whoever is no proxy of ours speaks for itself only.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        # What the client wrote stands to the left of what our proxies added.
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["198.51.100.1, junk, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["junk"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("2001:db8:1::5", ["[2001:db8:2::7]:4711"], "2001:db8:2::7"),
        ("10.0.0.1", [",".join(["203.0.113.7"] + ["10.0.0.2"] * 5_000)], "10.0.0.2"),
        ("", ["203.0.113.7"], ""),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy_of_ours(peer: str, lines: list[str], client: str) -> None:
    assert client_of(peer, *lines) == client


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("for=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ('for=198.51.100.1, For="[2001:db8:2::7]:4711"', "2001:db8:2::7"),
        ("for=198.51.100.1, for=_hidden", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
    ],
)
def test_the_standard_header_is_read_alike(line: str, client: str) -> None:
    assert client_of("10.0.0.1", line, header="forwarded") == client


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.org", "10.0.0.1/8"])
def test_networks_that_are_none_are_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be networks") as refused:
        parse_networks(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("proxies", "address"), [("127.0.0.0/8", "203.0.113.7"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_the_boundary_tells_where_a_request_comes_from(proxies: str, address: str) -> None:
    seen: list[str] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[ADDRESS])
        await Response()(scope, receive, send)

    state = ServerState(proxies=TrustedProxies(parse_networks(proxies)))
    transport = httpx2.ASGITransport(app=Boundary(look, service="sample", state=state))
    async with httpx2.AsyncClient(transport=transport, base_url="http://sample") as client:
        await client.get(
            "/", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.7", "forwarded": "for=::1"}
        )
    assert seen == [address]


async def test_an_id_that_is_sent_is_echoed_and_told_in_the_problem(call: Call) -> None:
    for sent in GOOD_IDS:
        answer = await call("GET", "/nothing", headers={"x-request-id": sent})
        assert (answer.headers["x-request-id"], answer.json()["request_id"]) == (sent, sent)


@pytest.mark.parametrize(
    "sent", [None, "", "+420777123456", "a" * 31, "a" * 37, "a" * 5_000, GOOD_IDS[0] + "\t", "é" * 32]
)
async def test_without_a_good_id_a_new_one_is_made(call: Call, sent: str | None) -> None:
    headers = {"x-request-id": sent}
    answers = [await call("GET", "/nothing", headers=headers) for _ in range(2)]
    made = {answer.headers["x-request-id"] for answer in answers}
    assert len(made) == 2
    assert sent not in made
    assert all("request_id" not in answer.json() for answer in answers)


async def test_two_ids_are_none(call: Call) -> None:
    more = [("X-Request-ID", GOOD_IDS[1])]
    answer = await call("GET", "/nothing", headers={"x-request-id": GOOD_IDS[0]}, more_headers=more)
    assert answer.headers["x-request-id"] not in GOOD_IDS
