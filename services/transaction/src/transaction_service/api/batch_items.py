"""The items of a batch: each read for itself, each told for itself."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from contracts.currencies import UnknownCurrency
from pydantic import ValidationError
from service_kit.field_errors import field_errors

from transaction_service.api.answers import BatchItemOut, BatchOut, ItemProblem
from transaction_service.api.parties import Handles
from transaction_service.api.schemas import BatchItemIn
from transaction_service.domain.payment import InvalidPayment, PaymentOrder
from transaction_service.operations.accept_batch import BatchItem, Refusal
from transaction_service.operations.accept_payments import KeyReused, Outcome
from transaction_service.operations.name_parties import PARTIES, AskedPayment


def read_items(raw: Sequence[Any], *, client_id: str, batch_key: str, handles: Handles) -> list[BatchItem]:
    """Read each item into an order, into what is to be looked up for one, or into the reason why it is
    none."""
    return [BatchItem(_read(item, client_id, batch_key, handles), _hash(item, handles)) for item in raw]


def _hash(item: Any, handles: Handles) -> bytes:
    if isinstance(item, dict) and any(isinstance(item.get(party), dict) for party in PARTIES):
        # With the key: a mobile number could be guessed from a plain hash.
        return hmac.digest(handles.key, _canonical(item), hashlib.sha256)
    return hashlib.sha256(_canonical(item)).digest()


def _canonical(item: Any) -> bytes:
    # Not orjson, which refuses integers beyond 64 bits: this sees what was sent before it is validated.
    return json.dumps(item, sort_keys=True, separators=(",", ":")).encode()


def _read(
    raw: Any, client_id: str, batch_key: str, handles: Handles
) -> PaymentOrder | AskedPayment | Refusal:
    try:
        item = BatchItemIn.model_validate(raw)
        key = item.idempotency_key or f"{batch_key}/{item.reference}"
        if item.needs_looking_up:
            return item.asked(handles, client_id=client_id, idempotency_key=key)
        return item.order(client_id=client_id, idempotency_key=key)
    except ValidationError as error:
        fault = field_errors(error.errors(include_url=False, include_input=False))[0]
        return Refusal(fault.code, fault.field, fault.message)
    except InvalidPayment as error:
        return Refusal(error.code, error.field, error.message)
    except UnknownCurrency as error:
        return Refusal(error.code, "currency", str(error))


def tell_outcomes(raw: Sequence[Any], outcomes: Sequence[Outcome | Refusal]) -> BatchOut:
    """Say what became of each item, and count."""
    items = [_tell(item, outcome) for item, outcome in zip(raw, outcomes, strict=True)]
    counts = {
        kind: sum(1 for item in items if item.outcome == kind) for kind in ("accepted", "replayed", "refused")
    }
    return BatchOut(**counts, items=items)


def _tell(raw: Any, outcome: Outcome | Refusal) -> BatchItemOut:
    if isinstance(outcome, Refusal):
        problem = ItemProblem(code=outcome.code, field=outcome.field, message=outcome.message)
        # What was sent is echoed only where it is the text that was asked for.
        reference = raw.get("reference") if isinstance(raw, dict) else None
        shown = reference if isinstance(reference, str) and len(reference) <= 140 else None
        return BatchItemOut(outcome="refused", reference=shown, problem=problem)
    reference = raw["reference"]
    if isinstance(outcome, KeyReused):
        fields = ", ".join(outcome.fields)
        problem = ItemProblem(
            code="idempotency_key_reused",
            field=outcome.fields[0],
            message=f"the key made another payment before, which differs in: {fields}",
        )
        return BatchItemOut(
            outcome="refused", reference=reference, payment_id=outcome.payment_id, problem=problem
        )
    told = "replayed" if outcome.replayed else "accepted"
    return BatchItemOut(outcome=told, reference=reference, payment_id=outcome.payment.id)
