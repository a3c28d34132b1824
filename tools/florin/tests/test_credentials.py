"""What `up` writes is what the services read."""

import json
import stat
from pathlib import Path

import pytest
from florin.credentials import (
    Credentials,
    api_keys_file,
    key_encryption_keys_file,
    keyring_file,
    load_or_make,
)
from florin.errors import StackError
from florin.services import SERVICES
from messaging.signing import KeyRing
from service_kit.auth import ApiKeys, Unauthenticated


def test_services_accept_the_clients_keys(tmp_path: Path) -> None:
    credentials = load_or_make(tmp_path)
    keys = ApiKeys.load(api_keys_file(tmp_path), credentials.api_key_pepper)
    demo = keys.authenticate(credentials.api_keys["demo"])
    operator = keys.authenticate(credentials.api_keys["operator"])
    assert demo.id == "demo"
    assert "reviews:any-client" in operator.scopes
    with pytest.raises(Unauthenticated):
        keys.authenticate(credentials.api_keys["demo"][:-1] + "x")


def test_the_demo_client_may_withdraw_only_with_the_key_of_its_office(tmp_path: Path) -> None:
    credentials = load_or_make(tmp_path)
    keys = ApiKeys.load(api_keys_file(tmp_path), credentials.api_key_pepper)
    everyday = keys.authenticate(credentials.api_keys["demo"])
    office = keys.authenticate(credentials.api_keys["demo-office"])
    assert everyday.id == office.id
    elevated = office.scopes - everyday.scopes
    money = {"withdrawals:write", "settlement:write", "limits:write", "accounts:adjust", "payments:approve"}
    proposals = {"proposals:read", "proposals:write", "proposals:decide"}
    assert elevated == money | proposals | {"kyc:decide", "audit:read"}


def test_a_service_may_only_ask_what_others_would_do(tmp_path: Path) -> None:
    credentials = load_or_make(tmp_path)
    keys = ApiKeys.load(api_keys_file(tmp_path), credentials.api_key_pepper)
    service = keys.authenticate(credentials.api_keys["florin-transaction"])
    assert service.scopes == {"dry-run:ask"}


def test_each_service_can_sign(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    ring = KeyRing.load(keyring_file(tmp_path))
    assert {ring.signing_key(service).producer for service in SERVICES} == set(SERVICES)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    for name in ("credentials.json", "keyring.json", "api-keys.json", "key-encryption-keys.json"):
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


def test_a_run_folder_of_an_earlier_release_gets_what_it_lacks(tmp_path: Path) -> None:
    first = load_or_make(tmp_path)
    path = tmp_path / "credentials.json"
    document = json.loads(path.read_text())
    del document["blind_index_key"], document["api_keys"]["florin-transaction"]
    path.write_text(json.dumps(document))
    key_encryption_keys_file(tmp_path).unlink()
    completed = load_or_make(tmp_path)
    assert len(completed.blind_index_key) == 64
    assert completed.blind_index_key != first.blind_index_key
    assert completed.api_keys["demo"] == first.api_keys["demo"]
    assert completed.api_keys["florin-transaction"] != first.api_keys["florin-transaction"]
    assert Credentials.load(tmp_path) == completed
    assert key_encryption_keys_file(tmp_path).exists()


def test_damaged_credentials_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"node": "x"}))
    with pytest.raises(StackError, match=r"credentials\.json cannot be read"):
        Credentials.load(tmp_path)
