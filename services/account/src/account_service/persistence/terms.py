"""What a request says beyond parties and amount, as it is kept beside them: JSON, or nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from account_service.domain.hold import CaptureTerms, Conditions, HoldTerms
from account_service.domain.posting import PostingRequest


def write_terms(request: PostingRequest) -> str | None:
    """The terms as JSON, None when there are none; `read_terms` reads them back the same."""
    hold, capture, conditions = request.hold, request.capture, request.conditions
    if hold is None and capture is None and conditions is None:
        return None
    written: dict[str, Any] = {}
    if hold is not None:
        written["hold"] = {
            "expires_at": hold.expires_at,
            "captured_many_times": hold.captured_many_times,
            "tolerance_minor": hold.tolerance_minor,
        }
    if capture is not None:
        written["capture"] = {"of": capture.of, "final": capture.final}
    if conditions is not None:
        written["conditions"] = _written_conditions(conditions)
    return orjson.dumps(written).decode()


def write_conditions(conditions: Conditions | None) -> str | None:
    """The conditions alone, as JSON."""
    return None if conditions is None else orjson.dumps(_written_conditions(conditions)).decode()


def read_terms(written: str | None) -> dict[str, Any]:
    """The terms as the fields of a PostingRequest; none when nothing was written."""
    if written is None:
        return {}
    terms = orjson.loads(written)
    read: dict[str, Any] = {}
    if (hold := terms.get("hold")) is not None:
        read["hold"] = HoldTerms(
            expires_at=datetime.fromisoformat(hold["expires_at"]),
            captured_many_times=hold["captured_many_times"],
            tolerance_minor=hold["tolerance_minor"],
        )
    if (capture := terms.get("capture")) is not None:
        read["capture"] = CaptureTerms(of=UUID(capture["of"]), final=capture["final"])
    if (conditions := terms.get("conditions")) is not None:
        read["conditions"] = read_conditions(conditions)
    return read


def read_conditions(written: dict[str, Any]) -> Conditions:
    """Conditions from their fields."""
    return Conditions(
        version=written.get("version"), available_at_least_minor=written.get("available_at_least_minor")
    )


def _written_conditions(conditions: Conditions) -> dict[str, int | None]:
    return {
        "version": conditions.version,
        "available_at_least_minor": conditions.available_at_least_minor,
    }
