"""The golden frame and the golden events: code and promise agree, in both directions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.catalogue import CATALOGUE, MessageType
from florin import api_docs, golden
from messaging.event import decode_batch, encode, read
from messaging.failures import MalformedFrame
from messaging.frame import Frame, seal, unseal
from messaging.signing import KeyRing, sign

FOLDER = api_docs.folder_here() / "golden-frame"
RING = KeyRing.load(FOLDER / "key.json")
NOW = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)


def _frame(**changed: Any) -> Frame:
    """The frame as its files tell it."""
    message = json.loads((FOLDER / "message.json").read_bytes())
    told = {
        "id": message["properties"]["message_id"],
        "routing_key": message["routing_key"],
        "content_type": message["properties"]["content_type"],
        "key_id": message["headers"]["florin-key-id"],
        "issued_at": message["headers"]["florin-issued-at"],
        "signature": message["headers"]["florin-signature"],
        "body": (FOLDER / "body.bin").read_bytes(),
    }
    return Frame(**{**told, **changed})


def test_the_code_reads_the_golden_frame() -> None:
    events = [read(raw) for raw in unseal(_frame(), ring=RING, now=NOW)]
    assert [event.type for event in events] == ["florin.payment.settled.v1"] * 2
    assert events[0] == golden.golden_events()["florin.payment.settled.v1"]


def test_a_golden_frame_that_comes_years_late_is_read_all_the_same() -> None:
    assert len(unseal(_frame(), ring=RING, now=NOW + timedelta(days=3650))) == 2


def test_sealing_the_same_events_gives_the_golden_bytes_and_signature() -> None:
    frame = _frame()
    key = RING.signing_key("transaction")
    events = [read(raw) for raw in decode_batch(frame.body, routing_key=frame.routing_key)]
    sealed = seal([encode(event) for event in events], routing_key=frame.routing_key, key=key, at=NOW)
    assert (sealed.body, sealed.issued_at, sealed.content_type, sealed.key_id) == (
        frame.body,
        frame.issued_at,
        frame.content_type,
        frame.key_id,
    )
    # The frame id is new each time; under the golden one the signature is the golden one.
    for one in (frame, sealed):
        assert one.signature == sign(
            key,
            frame_id=one.id,
            routing_key=one.routing_key,
            content_type=one.content_type,
            issued_at=one.issued_at,
            body=one.body,
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "019b76da-a800-7000-8000-00000000f4a4"},
        {"routing_key": "florin.payment.rejected.v1"},
        {"content_type": "application/json"},
        {"issued_at": "2026-01-01T00:00:01.001Z"},
        {"body": b"[]"},
        {"signature": "0" * 64},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_signature_covers_every_part(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedFrame) as refused:
        unseal(_frame(**changed), ring=RING, now=NOW)
    assert refused.value.code == "bad_signature"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_golden_event_is_read_and_written_as_it_stands(entry: MessageType) -> None:
    file = api_docs.folder_here() / "golden" / f"{entry.name}.json"
    told = json.loads(file.read_bytes())
    (raw,) = decode_batch(json.dumps([told]).encode(), routing_key=entry.name)
    event = read(raw)
    assert event == golden.golden_events()[entry.name]
    assert json.loads(encode(event)) == told
