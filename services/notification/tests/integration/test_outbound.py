"""No webhook reaches what it must not: checked at the connection, not only where the URL is typed."""

import ssl
import subprocess
from pathlib import Path

import pytest
from notification_service.domain.target import TargetPolicy

from .receiver import Receiver, receiving
from .stage import Stage


async def test_name_that_turns_private_after_registration_is_never_connected_to(
    stage: Stage, receiver: Receiver
) -> None:
    """DNS rebinding: public while it is checked at registration, loopback when it counts."""
    stage.names.answers = {"rebind.example.com": [["8.8.8.8"], ["127.0.0.1"]]}
    await stage.register(receiver.url(host="rebind.example.com"))
    await stage.hear(stage.event())
    strict = TargetPolicy(allow_http=True, ports=frozenset({receiver.port}))
    await stage.worker(policy=strict).run_until_idle()
    assert receiver.connections == 0
    [delivery] = await stage.deliveries()
    assert (delivery["status"], delivery["last_error"]) == ("pending", "host_not_public")


async def test_address_that_was_checked_is_the_one_connected_to(stage: Stage, receiver: Receiver) -> None:
    """One look-up for a connection: a resolver that would lie at the second is not asked a second time."""
    stage.names.answers = {"hooks.example.test": [["127.0.0.1"], ["127.0.0.1"], ["192.0.2.1"]]}
    await stage.register(receiver.url(host="hooks.example.test"))
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    assert len(stage.names.asked) == 2, "once at registration, once at the connection"
    [request] = receiver.requests
    assert request.headers["host"] == f"hooks.example.test:{receiver.port}"


async def test_one_private_address_among_public_ones_condemns_the_name(
    stage: Stage, receiver: Receiver
) -> None:
    stage.names.answers = {"mixed.example.com": [["8.8.8.8"], ["8.8.8.8", "127.0.0.1"]]}
    await stage.register(receiver.url(host="mixed.example.com"))
    await stage.hear(stage.event())
    strict = TargetPolicy(allow_http=True, ports=frozenset({receiver.port}))
    await stage.worker(policy=strict).run_until_idle()
    assert receiver.connections == 0


async def test_url_that_a_stricter_policy_refuses_is_not_called_any_more(
    stage: Stage, receiver: Receiver
) -> None:
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    await stage.worker(policy=TargetPolicy()).run_until_idle()
    assert receiver.connections == 0
    [delivery] = await stage.deliveries()
    [attempt] = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert (attempt["error"], attempt["detail"]) == ("url_not_allowed", "webhook_url_not_https")


async def test_proxies_of_the_environment_are_not_used(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await stage.register(receiver.url())
    await stage.hear(stage.event())
    await stage.worker().run_until_idle()
    assert len(receiver.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for hooks.example.test, its own authority; made anew: no key is kept."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    names = ["-subj", "/CN=hooks.example.test", "-addext", "subjectAltName=DNS:hooks.example.test"]
    try:
        subprocess.run(
            [*command, *names, "-days", "2", "-keyout", str(file), "-out", f"{file}.crt"],
            check=True,
            capture_output=True,
            timeout=30,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed: no certificate can be made")
    return file


@pytest.mark.parametrize(
    ("host", "status", "error"),
    [("hooks.example.test", "delivered", None), ("other.example.test", "pending", "tls_failed")],
)
async def test_certificate_is_verified_for_the_name_although_the_address_is_pinned(
    stage: Stage, certificate: Path, host: str, status: str, error: str | None
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(f"{certificate}.crt", certificate)
    shown: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: shown.append(name)
    trusting = ssl.create_default_context(cafile=f"{certificate}.crt")
    stage.names.answers = {host: [["127.0.0.1"]]}
    async with receiving(serving) as receiver:
        await stage.register(receiver.url(host=host))
        await stage.hear(stage.event())
        await stage.worker(tls=trusting).run_until_idle()
        [delivery] = await stage.deliveries()
        assert (delivery["status"], delivery["last_error"]) == (status, error)
        assert shown == [host], "the server was not told the name"
        assert len(receiver.requests) == (1 if status == "delivered" else 0)


async def test_untrusted_certificate_is_a_failed_attempt_that_says_why(
    stage: Stage, certificate: Path
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(f"{certificate}.crt", certificate)
    stage.names.answers = {"hooks.example.test": [["127.0.0.1"]]}
    async with receiving(serving) as receiver:
        await stage.register(receiver.url(host="hooks.example.test"))
        await stage.hear(stage.event())
        await stage.worker().run_until_idle()
        assert receiver.requests == []
    [delivery] = await stage.deliveries()
    [attempt] = (await stage.delivery(delivery["id"]))["attempt_log"]
    assert attempt["error"] == "tls_failed"
    assert "self" in attempt["detail"]
