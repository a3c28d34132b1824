"""The OpenAPI document says what the API does: keys, scopes, headers, problems; the page needs no network."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

Call = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
async def document(call: Call) -> dict[str, Any]:
    answer = await call("GET", "/openapi.json", headers={"authorization": None})
    found: dict[str, Any] = answer.json()
    return found


async def test_an_operation_names_its_key_scopes_and_headers(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/payments"]["post"]
    assert operation["operationId"] == "create_payment"
    assert operation["security"] == [{"ApiKey": ["payments:write"]}]
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    header = next(item for item in operation["parameters"] if item["name"] == "Idempotency-Key")
    assert (header["in"], header["required"], header["schema"]["maxLength"]) == ("header", True, 255)


async def test_every_refusal_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            refusals = {
                status: answer for status, answer in operation["responses"].items() if status >= "400"
            }
            assert {"400", "401", "403", "422", "500", "503"} <= set(refusals)
            for answer in refusals.values():
                assert list(answer["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_the_page_loads_nothing_from_elsewhere(call: Call) -> None:
    page = await call("GET", "/docs", headers={"authorization": None})
    assert "create_payment" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
    assert (await call("GET", "/docs/style.css", headers={"authorization": None})).status_code == 200
