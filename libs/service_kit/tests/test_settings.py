"""Settings come from the environment; a fault is a line that names the variable and never its value."""

import pytest
from service_kit.settings import ServiceSettings, SettingsError

GOOD = {
    "FLORIN_DATABASE_URL": "postgresql://app:hunter2@127.0.0.1/florin",
    "FLORIN_BROKER_URL": "amqp://florin:hunter2@127.0.0.1",
    "FLORIN_KEYRING_FILE": "keyring.json",
    "FLORIN_API_KEYS_FILE": "api-keys.json",
    "FLORIN_API_KEY_PEPPER": "hunter2 hunter2 hunter2",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_settings_are_read_and_never_print_a_secret() -> None:
    settings = ServiceSettings.read()
    assert settings.broker_namespace == "florin"
    assert settings.database_url.get_secret_value() == GOOD["FLORIN_DATABASE_URL"]
    assert "hunter2" not in repr(settings)


def test_every_fault_is_named_and_no_value_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLORIN_DATABASE_URL")
    monkeypatch.setenv("FLORIN_API_KEY_PEPPER", "hunter2")
    monkeypatch.setenv("FLORIN_HTTP_PORT", "eighty")
    with pytest.raises(SettingsError) as error:
        ServiceSettings.read()
    lines = str(error.value).splitlines()
    assert "FLORIN_DATABASE_URL: is not set" in lines
    assert {line.partition(":")[0] for line in lines} == {
        "FLORIN_DATABASE_URL",
        "FLORIN_API_KEY_PEPPER",
        "FLORIN_HTTP_PORT",
    }
    assert "hunter2" not in str(error.value)
