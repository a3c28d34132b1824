"""Settings come from the environment; a fault is a line that names the variable and never its value."""

from collections import Counter
from pathlib import Path

import pytest
from service_kit.rate_budgets import Rate
from service_kit.settings import BusSettings, HandleSettings, SettingsError

GOOD = {
    "FLORIN_DATABASE_URL": "postgresql://app:hunter2@127.0.0.1/florin",
    "FLORIN_BROKER_URL": "amqp://florin:hunter2@127.0.0.1",
    "FLORIN_KEYRING_FILE": "keyring.json",
    "FLORIN_API_KEYS_FILE": "api-keys.json",
    "FLORIN_API_KEY_PEPPER": "hunter2-0123456789abcdef0123456789abcdef",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_settings_are_read_and_never_print_a_secret() -> None:
    settings = BusSettings.read()
    assert settings.broker_namespace == "florin"
    assert settings.database_url.get_secret_value() == GOOD["FLORIN_DATABASE_URL"]
    assert "hunter2" not in repr(settings)


def test_every_fault_is_named_and_no_value_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLORIN_DATABASE_URL")
    monkeypatch.setenv("FLORIN_API_KEY_PEPPER", "hunter2")
    monkeypatch.setenv("FLORIN_HTTP_PORT", "eighty")
    with pytest.raises(SettingsError) as error:
        BusSettings.read()
    lines = str(error.value).splitlines()
    assert "FLORIN_DATABASE_URL: is not set" in lines
    assert {line.partition(":")[0] for line in lines} == {
        "FLORIN_DATABASE_URL",
        "FLORIN_API_KEY_PEPPER",
        "FLORIN_HTTP_PORT",
    }
    assert "hunter2" not in str(error.value)


def test_a_secret_may_be_a_file_and_a_variable_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "florin_database_url").write_text("postgresql://app:from-a-file@127.0.0.1/florin\n")
    (tmp_path / "other" / "florin_broker_url").write_text("amqp://florin:from-a-file@127.0.0.1\n")
    monkeypatch.setenv("FLORIN_SECRETS_DIR", f"{tmp_path / 'one'}:{tmp_path / 'other'}")
    monkeypatch.delenv("FLORIN_DATABASE_URL")
    settings = BusSettings.read()
    assert settings.database_url.get_secret_value() == "postgresql://app:from-a-file@127.0.0.1/florin"
    assert settings.broker_url.get_secret_value() == GOOD["FLORIN_BROKER_URL"]


def test_a_secret_in_a_file_is_judged_like_any_other_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "florin_api_key_pepper").write_text("hunter2")
    monkeypatch.setenv("FLORIN_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("FLORIN_API_KEY_PEPPER")
    with pytest.raises(SettingsError) as error:
        BusSettings.read()
    assert str(error.value).startswith("FLORIN_API_KEY_PEPPER: ")
    assert "hunter2" not in str(error.value)


def test_a_folder_of_secrets_that_is_not_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLORIN_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match="FLORIN_SECRETS_DIR"):
        BusSettings.read()


def test_those_who_know_handles_share_a_key_and_a_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORIN_BLIND_INDEX_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("FLORIN_DEFAULT_REGION", "CZ")
    settings = HandleSettings.read()
    assert (settings.handle_key, settings.default_region) == (bytes.fromhex("0123456789abcdef" * 4), "CZ")
    assert "89abcdef" not in repr(settings)


def test_a_key_or_country_that_is_none_is_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORIN_BLIND_INDEX_KEY", "hunter2")
    monkeypatch.setenv("FLORIN_DEFAULT_REGION", "Czechia")
    with pytest.raises(SettingsError) as error:
        HandleSettings.read()
    assert {line.partition(":")[0] for line in str(error.value).splitlines()} == {
        "FLORIN_BLIND_INDEX_KEY",
        "FLORIN_DEFAULT_REGION",
    }
    assert "hunter2" not in str(error.value)


def test_rates_are_generous_in_production_and_off_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(BusSettings.read().rate_limits) == {"read", "write", "money"}
    monkeypatch.setenv("FLORIN_ENVIRONMENT", "development")
    assert BusSettings.read().rate_limits == {}
    monkeypatch.setenv("FLORIN_RATE_LIMITS_WRITE", "30/60s")
    assert BusSettings.read().rate_limits == {"write": Rate("write", 30, 60)}


def test_no_proxy_is_trusted_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BusSettings.read().proxies is None
    monkeypatch.setenv("FLORIN_TRUSTED_PROXIES", "10.0.0.0/8,192.168.1.7")
    proxies = BusSettings.read().proxies
    assert proxies is not None
    assert proxies.client_of("192.168.1.7", [b"203.0.113.7"]) == "203.0.113.7"
    monkeypatch.setenv("FLORIN_TRUSTED_PROXIES", "somewhere")
    with pytest.raises(SettingsError, match=r"^FLORIN_TRUSTED_PROXIES: "):
        BusSettings.read()


@pytest.mark.parametrize("rate", ["", "0/10s", "10", "10/0s", "10/minute", "-1/1s", "1/1s\n"])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
    monkeypatch.setenv("FLORIN_RATE_LIMITS_MONEY", rate)
    with pytest.raises(SettingsError, match=r"^FLORIN_RATE_LIMITS_MONEY: "):
        BusSettings.read()


UNSAFE = {
    "FLORIN_DATABASE_URL": "postgresql://postgres:hunter2@db.example/florin?sslmode=require",
    "FLORIN_BROKER_URL": "amqp://guest:guest@mq.example",
    "FLORIN_REDIS_URL": "rediss://:hunter2@redis.example?ssl_cert_reqs=none",
    "FLORIN_API_KEY_PEPPER": "hunter2 hunter2 hunter2",
    "FLORIN_LOG_LEVEL": "DEBUG",
}


def test_unsafe_settings_refuse_to_start_outside_development_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in UNSAFE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        BusSettings.read()
    lines = str(refused.value).splitlines()
    assert Counter(line.partition(":")[0] for line in lines) == {
        "FLORIN_DATABASE_URL": 2,
        "FLORIN_BROKER_URL": 3,
        "FLORIN_REDIS_URL": 1,
        "FLORIN_API_KEY_PEPPER": 1,
        "FLORIN_LOG_LEVEL": 1,
    }
    assert not any(word in str(refused.value) for word in ("hunter2", "guest:", "example/"))
    monkeypatch.setenv("FLORIN_ENVIRONMENT", "development")
    assert BusSettings.read().log_level == "DEBUG"


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("FLORIN_DATABASE_URL", "postgresql://app:hunter2@db.example/florin?sslmode=verify-full"),
        ("FLORIN_DATABASE_URL", "postgresql://app:hunter2@[::1]/florin"),
        ("FLORIN_BROKER_URL", "amqps://app:hunter2@mq.example"),
        ("FLORIN_REDIS_URL", "rediss://:hunter2@redis.example"),
        ("FLORIN_JWKS_URL", "https://identity.example/.well-known/jwks.json"),
        ("FLORIN_JWKS_URL", "http://127.0.0.1:24005/.well-known/jwks.json"),
        ("FLORIN_TRUST_URL", "https://identity.example/internal/v1/trust"),
        ("FLORIN_TRUST_URL", "http://localhost:24005/internal/v1/trust"),
    ],
)
def test_verified_or_local_addresses_are_safe(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    _set_with_its_other_half(monkeypatch, variable, url)
    BusSettings.read()


def _set_with_its_other_half(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    monkeypatch.setenv(variable, url)
    halves = {
        "FLORIN_JWKS_URL": ("FLORIN_TOKEN_ISSUER", "https://identity.example"),
        "FLORIN_TRUST_URL": ("FLORIN_TRUST_KEY", "flk_feedfeed_" + "f" * 43),
    }
    if variable in halves:
        monkeypatch.setenv(*halves[variable])


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("FLORIN_DATABASE_URL", "postgresql://app:hunter2@db.example/florin"),
        ("FLORIN_MIGRATION_DATABASE_URL", "postgresql://app:hunter2@10.0.0.7/florin?sslmode=prefer"),
        ("FLORIN_BROKER_URL", "amqp://app:hunter2@mq.example"),
        ("FLORIN_BROKER_URL", "amqps://app:hunter2@mq.example?no_verify_ssl=1"),
        ("FLORIN_REDIS_URL", "redis://:hunter2@redis.example"),
        ("FLORIN_JWKS_URL", "http://identity.example/.well-known/jwks.json"),
        ("FLORIN_TRUST_URL", "http://identity.example/internal/v1/trust"),
    ],
)
def test_plaintext_elsewhere_needs_a_reason(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    _set_with_its_other_half(monkeypatch, variable, url)
    with pytest.raises(SettingsError, match=f"^{variable}: must ask for TLS"):
        BusSettings.read()
    monkeypatch.setenv("FLORIN_ALLOW_PLAINTEXT", "the mesh encrypts")
    BusSettings.read()


def test_a_reason_for_services_in_the_open_is_none_for_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORIN_ALLOW_PLAIN_HTTP", "a network of their own")
    _set_with_its_other_half(monkeypatch, "FLORIN_TRUST_URL", "http://identity.example/internal/v1/trust")
    BusSettings.read()
    monkeypatch.setenv("FLORIN_REDIS_URL", "redis://:hunter2@redis.example")
    with pytest.raises(SettingsError, match=r"^FLORIN_REDIS_URL: must ask for TLS"):
        BusSettings.read()


def test_a_certificate_authority_completes_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE", "BROKER"):
        monkeypatch.setenv(f"FLORIN_{name}_CA_FILE", "/etc/florin/ca.pem")
    with pytest.raises(SettingsError, match=r"^FLORIN_BROKER_URL: .*must begin with amqps"):
        BusSettings.read()
    monkeypatch.setenv("FLORIN_BROKER_URL", "amqps://app:hunter2@mq.example/florin?heartbeat=5")
    settings = BusSettings.read()
    told = settings.database_url.get_secret_value()
    assert told.endswith("/florin?sslmode=verify-full&sslrootcert=%2Fetc%2Fflorin%2Fca.pem")
    assert settings.broker_url.get_secret_value().endswith("?heartbeat=5&cafile=%2Fetc%2Fflorin%2Fca.pem")
