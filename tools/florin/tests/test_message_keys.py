"""Keys that sign messages are replaced and no frame is refused meanwhile, by one file or by copies of it."""

import os
from pathlib import Path

import pytest
from florin import message_keys
from florin.credentials import keyring_file, new_keyring, write_private
from florin.errors import StackError
from florin.services import SERVICES
from messaging.signing import KeyRing


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_private(keyring_file(tmp_path), new_keyring())
    return tmp_path


def signs(run_dir: Path, producer: str) -> str:
    """The key that a process would sign with now."""
    return KeyRing.load(keyring_file(run_dir)).signing_key(producer).id


def test_every_producer_signs_with_a_new_key_and_the_old_ones_are_believed(run_dir: Path) -> None:
    message_keys.rotate(run_dir)
    ring = KeyRing.load(keyring_file(run_dir))
    for producer in SERVICES:
        assert signs(run_dir, producer) == f"{producer}-2"
        assert ring.find(f"{producer}-1") is not None
    message_keys.drop(run_dir, "account-1")
    assert KeyRing.load(keyring_file(run_dir)).find("account-1") is None


def test_a_key_that_stands_by_is_known_before_anybody_signs_with_it(run_dir: Path) -> None:
    """Copies of the file reach processes one after the other."""
    for _ in range(2):
        message_keys.rotate(run_dir, producers=["fraud"], standby=True)
    assert signs(run_dir, "fraud") == "fraud-1"
    copy = KeyRing.load(keyring_file(run_dir))
    message_keys.rotate(run_dir, producers=["fraud"])
    assert signs(run_dir, "fraud") == "fraud-2"
    assert copy.find("fraud-2") is not None
    assert copy.find("fraud-3") is None
    assert signs(run_dir, "account") == "account-1"
    told = {key: state for key, _, state in message_keys.states(run_dir)}
    assert (told["fraud-1"], told["fraud-2"]) == ("is believed", "signs")


def test_a_key_that_has_signed_never_signs_again(run_dir: Path) -> None:
    for _ in range(3):
        message_keys.rotate(run_dir, producers=["account"])
    assert signs(run_dir, "account") == "account-4"
    message_keys.drop(run_dir, "account-2")
    message_keys.rotate(run_dir, producers=["account"])
    assert signs(run_dir, "account") == "account-5"


@pytest.mark.parametrize(
    ("key", "why"), [("fraud-1", "fraud-1 signs"), ("fraud-9", "there are transaction-1")]
)
def test_a_key_that_signs_is_not_dropped(run_dir: Path, key: str, why: str) -> None:
    with pytest.raises(StackError, match=why):
        message_keys.drop(run_dir, key)


def test_an_idle_process_tells_the_age_of_the_file_that_is_there_now(run_dir: Path) -> None:
    """Its alert would go on until the next message otherwise."""
    path = keyring_file(run_dir)
    os.utime(path, (0, 0))
    ring = KeyRing.load(path)
    assert ring.age_s() > 180 * 86_400
    message_keys.rotate(run_dir)
    assert ring.age_s() < 60
