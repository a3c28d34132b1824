"""schemathesis over each service's own description: nothing gives a 5xx, every answer is as described."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from florin.api_docs import openapi_document
from hypothesis import HealthCheck, settings
from schemathesis import checks
from testkit.stacks import RunningServices

# A description cannot say which account exists, which URL is public or which cursor is ours; and it is the
# kit's routing, tested there, that answers for methods that no route has.
UNDESCRIBABLE = [
    checks.positive_data_acceptance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


@pytest.fixture(scope="module")
def running(own_running: RunningServices) -> RunningServices:
    """Their own: whatever a description allows is done to them, new screening rules among it."""
    return own_running


@pytest.fixture(scope="module")
def addresses(running: RunningServices) -> Callable[[str], str]:
    """Where each service listens."""
    return lambda service: str(running.client(service).base_url)


@pytest.fixture(scope="module")
def key(running: RunningServices) -> str:
    """The API key of the demo client that may do the most."""
    return running.surroundings.credentials.api_keys["demo-office"]


def _sent_less(case: schemathesis.Case[Any], answer: Any) -> bool:
    """Whether a query parameter that was to be wrong is not in the request: an empty list is not sent."""
    sent = parse_qs(urlsplit(answer.request.url).query, keep_blank_values=True)
    return not set(case.query or {}) <= set(sent)


def described(service: str) -> Any:
    """A test of one service: every operation with good and bad input, each answer held to the description."""
    schema = schemathesis.openapi.from_dict(openapi_document(service))

    @schema.parametrize()
    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def test(case: schemathesis.Case[Any], addresses: Callable[[str], str], key: str) -> None:
        answer = case.call(base_url=addresses(service), headers={"Authorization": f"Bearer {key}"})
        excluded = [*UNDESCRIBABLE, checks.ignored_auth]
        # The items of a batch are refused one by one, in its answer; and what is too large is not even read.
        if case.path.endswith("/batches") or answer.status_code == 413 or _sent_less(case, answer):
            excluded.append(checks.negative_data_rejection)
        case.validate_response(answer, excluded_checks=excluded)

    return test


test_transaction_answers_as_described = described("transaction")
test_account_answers_as_described = described("account")
test_fraud_answers_as_described = described("fraud")
test_notification_answers_as_described = described("notification")
