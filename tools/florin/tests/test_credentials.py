"""What `up` writes is what the services read."""

import json
import stat
from pathlib import Path

import pytest
from florin.credentials import Credentials, api_keys_file, keyring_file, load_or_make
from florin.errors import StackError
from florin.services import SERVICES
from messaging.signing import KeyRing
from service_kit.auth import ApiKeys


def test_services_accept_the_clients_keys(tmp_path: Path) -> None:
    credentials = load_or_make(tmp_path)
    keys = ApiKeys.load(api_keys_file(tmp_path), credentials.api_key_pepper)
    demo = keys.authenticate(credentials.api_keys["demo"])
    operator = keys.authenticate(credentials.api_keys["operator"])
    assert demo is not None
    assert demo.id == "demo"
    assert operator is not None
    assert "reviews:any-client" in operator.scopes
    assert keys.authenticate(credentials.api_keys["demo"][:-1] + "x") is None


def test_each_service_can_sign(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    ring = KeyRing.load(keyring_file(tmp_path))
    assert {ring.signing_key(service).producer for service in SERVICES} == set(SERVICES)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    for name in ("credentials.json", "keyring.json", "api-keys.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_they_stay_the_same_from_one_start_to_the_next(tmp_path: Path) -> None:
    first = load_or_make(tmp_path)
    ring = keyring_file(tmp_path).read_text()
    assert load_or_make(tmp_path) == first
    assert keyring_file(tmp_path).read_text() == ring


def test_keys_themselves_are_not_in_the_services_file(tmp_path: Path) -> None:
    credentials = load_or_make(tmp_path)
    text = api_keys_file(tmp_path).read_text()
    assert not any(key in text for key in credentials.api_keys.values())
    assert not any(key in repr(credentials) for key in credentials.api_keys.values())


def test_damaged_credentials_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"node": "x"}))
    with pytest.raises(StackError, match=r"credentials\.json cannot be read"):
        Credentials.load(tmp_path)
