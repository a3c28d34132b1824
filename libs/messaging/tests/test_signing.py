"""The signature and the frame, without a broker."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from messaging.event import encode
from messaging.failures import MalformedFrame
from messaging.frame import CONTENT_TYPE, seal, unseal
from messaging.signing import Key, KeyRing, KeyRingError, sign
from testkit.bus import payment_initiated

KEY = Key("transaction-1", "transaction", bytes(range(32)), active=True)
RETIRED = Key("transaction-0", "transaction", bytes(32), active=False)
INITIATED = "florin.payment.initiated.v1"


def test_the_signature_is_what_the_documents_say() -> None:
    """Computed here by the book, from the description alone."""
    import hashlib
    import hmac

    fields = [b"florin-frame-v1", b"transaction-1", b"frame", b"key", b"type", b"time", b"[]"]
    message = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    expected = hmac.new(KEY.secret, message, hashlib.sha256).hexdigest()
    found = sign(KEY, frame_id="frame", routing_key="key", content_type="type", issued_at="time", body=b"[]")
    assert found == expected


def test_moving_a_byte_between_fields_changes_the_signature() -> None:
    """Lengths are signed: `ab` + `c` is not `a` + `bc`."""
    one = sign(KEY, frame_id="ab", routing_key="c", content_type="", issued_at="", body=b"")
    two = sign(KEY, frame_id="a", routing_key="bc", content_type="", issued_at="", body=b"")
    assert one != two


def test_a_frame_is_read_back_as_it_was_written() -> None:
    """Seal and unseal, with events in order."""
    now = datetime.now(UTC)
    events = [payment_initiated() for _ in range(3)]
    frame = seal([encode(event) for event in events], routing_key=INITIATED, key=KEY, at=now)
    raw = unseal(frame, ring=KeyRing([KEY]), now=now)
    assert [event.id for event in raw] == [event.id for event in events]
    assert frame.content_type == CONTENT_TYPE


def test_a_week_old_frame_is_accepted_and_one_from_the_future_is_not() -> None:
    """The inbox guards against replay, so age is no fault; a clock far ahead is."""
    now = datetime.now(UTC)
    old = seal([encode(payment_initiated())], routing_key=INITIATED, key=KEY, at=now - timedelta(days=7))
    assert unseal(old, ring=KeyRing([KEY]), now=now)
    ahead = seal([encode(payment_initiated())], routing_key=INITIATED, key=KEY, at=now + timedelta(hours=1))
    with pytest.raises(MalformedFrame, match="issued_in_future"):
        unseal(ahead, ring=KeyRing([KEY]), now=now)


def test_a_key_that_no_longer_signs_still_verifies() -> None:
    """Rotation refuses nothing that was signed before it."""
    now = datetime.now(UTC)
    frame = seal([encode(payment_initiated())], routing_key=INITIATED, key=RETIRED, at=now)
    ring = KeyRing([RETIRED, KEY])
    assert ring.signing_key("transaction") is KEY
    assert unseal(frame, ring=ring, now=now)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("no json", "key ring"),
        ('{"keys": [{"id": "a", "producer": "b", "secret": "AAAA", "active": true}]}', "shorter than 32"),
        ('{"keys": [{"id": "a"}]}', "key ring"),
        ('{"keys": 5}', "key ring"),
    ],
)
def test_a_key_ring_that_cannot_be_used_says_why(tmp_path: Path, content: str, complaint: str) -> None:
    """And never shows a secret."""
    path = tmp_path / "keyring.json"
    path.write_text(content)
    with pytest.raises(KeyRingError, match=complaint):
        KeyRing.load(path)


def test_a_producer_without_an_active_key_cannot_sign() -> None:
    """It is told at the start and not at the first message."""
    with pytest.raises(KeyRingError, match="no active key"):
        KeyRing([RETIRED]).signing_key("transaction")


def _write_ring(path: Path, *keys: Key) -> None:
    """As an operator's tool would: in one step."""
    entries = [
        {
            "id": k.id,
            "producer": k.producer,
            "secret": base64.b64encode(k.secret).decode(),
            "active": k.active,
        }
        for k in keys
    ]
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"keys": entries}))
    draft.replace(path)


def test_a_ring_follows_its_file(tmp_path: Path) -> None:
    """A new key verifies and signs without a restart; one taken out does neither."""
    path = tmp_path / "keyring.json"
    _write_ring(path, KEY)
    ring = KeyRing.load(path)
    newer = Key("transaction-2", "transaction", bytes(range(1, 33)), active=True)
    _write_ring(path, KEY, newer)
    assert ring.find("transaction-2") == newer
    assert ring.signing_key("transaction") == newer
    _write_ring(path, newer)
    assert ring.find("transaction-1") is None


@pytest.mark.parametrize("content", ["", "no json", '{"keys": []}'])
def test_a_file_that_cannot_be_used_leaves_the_ring_as_it_was(tmp_path: Path, content: str) -> None:
    """A slip of the operator's must not stop payments; nor does a file that is away for a moment."""
    path = tmp_path / "keyring.json"
    _write_ring(path, KEY)
    ring = KeyRing.load(path)
    path.write_text(content)
    assert ring.signing_key("transaction") == KEY
    path.unlink()
    assert ring.find("transaction-1") == KEY
    _write_ring(path, RETIRED, KEY)
    assert ring.find("transaction-0") == RETIRED
