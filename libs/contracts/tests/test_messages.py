"""Messages take what a newer producer adds, and refuse what is not exactly money."""

import json
from typing import Any

import pytest
from contracts.catalogue import CATALOGUE, MessageType
from contracts.messages import FraudAssessed, PaymentInitiated, PaymentSettled
from contracts.money import MAX_AMOUNT_MINOR
from pydantic import ValidationError

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_TIME = "2026-01-31T12:00:00.000001Z"
_SAMPLE: dict[str, Any] = {
    "payment_id": _ID,
    "posting_id": _ID,
    "client_id": "demo",
    "kind": "transfer",
    "debtor": "alice",
    "creditor": "bob",
    "amount_minor": 1250,
    "currency": "EUR",
    "status": "SETTLED",
    "decision": "approve",
    "score": 0,
    "reasons": [],
    "rules_version": 1,
    "reason": "none",
    "resolved_by": "operator",
    "code": "insufficient_funds",
    "created_at": _TIME,
    "occurred_at": _TIME,
    "posted_at": _TIME,
    "held_at": _TIME,
    "expires_at": _TIME,
    "ended_at": _TIME,
    "end": "captured",
    "captured_minor": 1250,
    "released_minor": 0,
    "author": "operator",
    "customer_id": _ID,
    "handles": ["00ff"],
    "version": 1,
    "account": "alice",
}
_MONEYED = [entry for entry in CATALOGUE if "amount_minor" in entry.payload.model_fields]
every_type = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
every_moneyed_type = pytest.mark.parametrize("entry", _MONEYED, ids=lambda entry: entry.name)


def _sample(entry: MessageType) -> dict[str, Any]:
    return {name: _SAMPLE[name] for name in entry.payload.model_fields if name in _SAMPLE}


@every_type
def test_a_message_reads_back_as_it_was_written(entry: MessageType) -> None:
    message = entry.payload.model_validate(_sample(entry))
    assert entry.payload.model_validate(json.loads(message.model_dump_json())) == message


@every_type
def test_fields_from_a_newer_producer_are_ignored(entry: MessageType) -> None:
    message = entry.payload.model_validate({**_sample(entry), "added_later": {"a": [1]}})
    assert message == entry.payload.model_validate(_sample(entry))
    assert not hasattr(message, "added_later")


@every_type
def test_a_missing_field_is_refused(entry: MessageType) -> None:
    for name, field in entry.payload.model_fields.items():
        if field.is_required():
            left = {key: value for key, value in _sample(entry).items() if key != name}
            with pytest.raises(ValidationError):
                entry.payload.model_validate(left)


@every_type
def test_a_message_cannot_be_changed_once_made(entry: MessageType) -> None:
    message = entry.payload.model_validate(_sample(entry))
    with pytest.raises(ValidationError):
        message.payment_id = _ID  # type: ignore[attr-defined]


@every_moneyed_type
@pytest.mark.parametrize(
    "wrong", [12.5, 12.0, "12", True, None, 0, -1, MAX_AMOUNT_MINOR + 1, float("nan"), [12]]
)
def test_an_amount_is_a_positive_integer_within_bounds(entry: MessageType, wrong: object) -> None:
    with pytest.raises(ValidationError):
        entry.payload.model_validate({**_sample(entry), "amount_minor": wrong})


@every_moneyed_type
@pytest.mark.parametrize("wrong", ["eur", "EURO", "EU", "", "EUR\n", 978, None])
def test_a_currency_is_three_capitals(entry: MessageType, wrong: object) -> None:
    with pytest.raises(ValidationError):
        entry.payload.model_validate({**_sample(entry), "currency": wrong})


@pytest.mark.parametrize("wrong", ["2026-01-31T12:00:00", "2026-01-31", "yesterday"])
def test_a_time_names_its_offset(wrong: str) -> None:
    entry = next(entry for entry in CATALOGUE if entry.payload is PaymentInitiated)
    with pytest.raises(ValidationError):
        PaymentInitiated.model_validate({**_sample(entry), "created_at": wrong})


@pytest.mark.parametrize("wrong", [-1, 101, 50.0, "50", True])
def test_a_score_is_an_integer_from_0_to_100(wrong: object) -> None:
    entry = next(entry for entry in CATALOGUE if entry.payload is FraudAssessed)
    with pytest.raises(ValidationError):
        FraudAssessed.model_validate({**_sample(entry), "score": wrong})


def test_a_state_that_is_new_within_a_version_is_no_reason_to_refuse_a_notice() -> None:
    entry = next(entry for entry in CATALOGUE if entry.payload is PaymentSettled)
    message = PaymentSettled.model_validate({**_sample(entry), "status": "PARTLY_SETTLED"})
    assert message.status == "PARTLY_SETTLED"
