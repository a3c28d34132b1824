"""Every refusal is a problem: stable code, fields at fault, trace id, and nothing of ours."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest
from service_kit.field_errors import MAX_REPORTED, field_errors

Call = Callable[..., Awaitable[httpx2.Response]]
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_invalid_fields_are_named_with_codes_and_what_to_do(call: Call) -> None:
    body = {"amount_minor": 0, "note": 7, "status": "SETTLED", "tags": {"a": 1}}
    answer = await call("POST", "/v1/payments", json=body)
    problem = answer.json()
    assert answer.status_code == 422
    assert problem["code"] == "invalid_request"
    assert {fault["field"]: fault["code"] for fault in problem["errors"]} == {
        "debtor": "missing",
        "amount_minor": "too_small",
        "note": "not_a_string",
        "status": "unknown_field",
    }
    assert all(fault["message"] for fault in problem["errors"])
    assert "SETTLED" not in answer.text


async def test_a_problem_bears_the_trace_id_of_its_request(call: Call) -> None:
    answer = await call("GET", "/v2", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert answer.json()["trace_id"] == TRACE


async def test_a_domain_error_is_told_as_the_error_map_says(call: Call) -> None:
    answer = await call("POST", "/v1/failures/limit")
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
        422,
        "limit_reached",
        "At most 7.",
    )


async def test_a_bug_is_a_500_that_tells_the_client_nothing_but_the_trace_id(call: Call) -> None:
    answer = await call("POST", "/v1/failures/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text
    assert len(answer.json()["trace_id"]) == 32


@pytest.mark.parametrize("kind", ["down", "unknown"])
async def test_an_outage_is_a_503_that_never_claims_failure(call: Call, kind: str) -> None:
    answer = await call("POST", f"/v1/failures/{kind}")
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "same Idempotency-Key" in answer.json()["detail"]


async def test_an_unknown_method_names_the_known_ones(call: Call) -> None:
    answer = await call("DELETE", "/v1/payments")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_every_answer_bears_safe_headers_and_none_of_the_server(call: Call) -> None:
    for answer in (await call("GET", "/v1/payments/1"), await call("GET", "/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_a_flood_of_findings_is_cut_and_a_long_key_is_shortened() -> None:
    finding = {"type": "extra_forbidden", "loc": ("body", "k" * 5_000), "msg": "", "input": "secret"}
    faults = field_errors([finding] * 1_000)
    assert len(faults) == MAX_REPORTED
    assert len(faults[0].field) == 200
