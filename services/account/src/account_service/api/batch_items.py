"""The items of a batch: each read for itself, each told for itself."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from service_kit.field_errors import field_errors

from account_service.api.schemas import AccountIn, BatchItemOut, BatchOut, ItemProblem
from account_service.domain.naming import is_reference
from account_service.domain.opening import OpeningTerms
from account_service.operations.open_batch import BatchOpened, Refusal


def read_item(raw: Any, *, by_person: bool) -> OpeningTerms | Refusal:
    """An item's terms, or the first reason why it has none; a person alone opens empty accounts."""
    try:
        terms = AccountIn.model_validate(raw).terms()
    except ValidationError as error:
        fault = field_errors(error.errors(include_url=False, include_input=False))[0]
        return Refusal(fault.code, fault.field, fault.message)
    if by_person and terms.takes_two is not None:
        field = "overdraft_minor" if terms.overdraft_minor > 0 else "opening_balance_minor"
        return Refusal("approval_required", field, f"takes two people: propose {terms.takes_two}")
    return terms


def tell(raw: Sequence[Any], batch: BatchOpened) -> BatchOut:
    """Say what became of each item, and count."""
    items = [_tell(item, outcome) for item, outcome in zip(raw, batch.outcomes, strict=True)]
    counts = {
        kind: sum(1 for item in items if item.outcome == kind) for kind in ("opened", "replayed", "refused")
    }
    return BatchOut(**counts, items=items)


def _tell(raw: Any, outcome: str | Refusal) -> BatchItemOut:
    sent = raw.get("account") if isinstance(raw, dict) else None
    # What was sent is echoed only where it is a reference and nothing else.
    reference = sent if isinstance(sent, str) and is_reference(sent) else None
    if isinstance(outcome, Refusal):
        problem = ItemProblem(code=outcome.code, field=outcome.field, message=outcome.message)
        return BatchItemOut(outcome="refused", account=reference, problem=problem)
    return BatchItemOut(outcome="replayed" if outcome == "replayed" else "opened", account=reference)
