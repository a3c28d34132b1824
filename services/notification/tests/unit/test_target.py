"""What is accepted as a webhook's URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_service.domain.target import TargetPolicy, TargetRefused, parse_target

STRICT = TargetPolicy()
DEVELOPMENT = TargetPolicy(allow_private=True, allow_http=True)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://Hooks.Example.COM:443/A?b=c", "hooks.example.com", 443, "/A?b=c", "hooks.example.com"),
        ("https://a.example:8443?x", "a.example", 8443, "/?x", "a.example:8443"),
        ("HTTPS://8.8.8.8/x", "8.8.8.8", 443, "/x", "8.8.8.8"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "/", "[2606:4700::1111]:8443"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://a.example/%0d%0aX-Evil:1", "a.example", 443, "/%0d%0aX-Evil:1", "a.example"),
    ],
)
def test_sound_url_is_taken_apart(url: str, host: str, port: int, path: str, authority: str) -> None:
    target = parse_target(url, STRICT)
    assert (target.host, target.port, target.path, target.authority) == (host, port, path, authority)


REFUSED = {
    "webhook_url_not_https": ["http://a.example/", "ftp://a.example/", "file:///etc/passwd", "//a.example/",
                              "a.example", "gopher://a.example/", "javascript:alert(1)"],
    "webhook_url_has_credentials": ["https://user@a.example/", "https://u:p@a.example/", "https://@a.example/",
                                    "https://8.8.8.8@a.example/"],
    "webhook_url_invalid": ["https://", "https:///x", "https://a.example:/", "https://a.example:x/",
                            "https://a b/",
                            "https://a.example/#f", "https://a.example/#", "https://a.example\\@b.example/",
                            "https://a.example/\r\nX: 1", "https://a.example/\x00", "https://bücher.example/",
                            "https://a.example/\u3002", "https://[::1", "https://[::1%25eth0]/", "https://[zz]/",
                            "https://-a.example/", "https://a..example/", "https://a.example./.", "https://a%2eb/",
                            "https://a.example:99999/", "https://" + "a" * 64 + ".example/",
                            "https://a.example/" + "x" * 2_100,
                            # Forms of 127.0.0.1 that some resolver takes for an address.
                            "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
                            "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0/",
                            "https://127.0.0.01/", "https://127.0.0.1./", "https://1.2.3.4.5/", "https://256.1.1.1/",
                            "https://a.example.0x1/"],
    "webhook_port_not_allowed": ["https://a.example:22/", "https://a.example:0/", "https://a.example:80/",
                                 "https://a.example:5432/", "https://8.8.8.8:6379/"],
    "webhook_host_not_public": ["https://127.0.0.1/", "https://0.0.0.0/", "https://[::1]/", "https://[::]/",
                                "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://10.1.2.3/",
                                "https://169.254.169.254/latest/meta-data", "https://[64:ff9b::7f00:1]/",
                                "https://[2002:7f00:1::]/", "https://localhost/", "https://LOCALHOST/",
                                "https://db/", "https://x.localhost/", "https://printer.local/",
                                "https://metadata.google.internal/", "https://router.home.arpa/"],
}  # fmt: skip


@pytest.mark.parametrize(("code", "url"), [(code, url) for code, urls in REFUSED.items() for url in urls])
def test_other_url_is_refused_by_its_rule(code: str, url: str) -> None:
    with pytest.raises(TargetRefused) as refusal:
        parse_target(url, STRICT)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/x", "http://localhost:3000/", "https://db/", "http://[::1]/"]
)
def test_development_takes_this_machine(url: str) -> None:
    assert parse_target(url, DEVELOPMENT)


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://u@127.0.0.1/", "http://2130706433/"])
def test_development_takes_no_tricks(url: str) -> None:
    with pytest.raises(TargetRefused):
        parse_target(url, DEVELOPMENT)


@given(st.text(max_size=80).map(lambda text: "https://" + text) | st.text(max_size=80))
def test_any_text_is_taken_or_refused_and_nothing_else(text: str) -> None:
    try:
        target = parse_target(text, STRICT)
    except TargetRefused:
        return
    assert target.scheme == "https"
    assert all("!" <= character <= "~" for character in target.host + target.path)
