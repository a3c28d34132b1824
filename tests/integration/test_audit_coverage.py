"""No route changes anything unseen: each writes the audit log, or makes an append-only record of its own."""

from collections.abc import Mapping

import pytest
from fastapi.routing import iter_route_contexts
from florin.api_docs import unserved_api
from florin.services import PROCESSES
from florin.verification import append_only
from service_kit.auth import ApiKeys
from service_kit.protection import is_audited
from testkit.auditing import audited_routes

Route = tuple[str, str]
# What is told by a record of its own: written thousands of times a second, or an attempt like any other.
OWN_RECORD: Mapping[str, Mapping[Route, str]] = {
    "transaction": {
        ("POST", "/v1/payments"): "payments",
        ("POST", "/v1/payments/batches"): "payments",
    },
    "identity": {
        ("POST", "/v1/sign-in"): "sign_in_attempts",
        ("POST", "/v1/sign-in/second-factor"): "sign_in_attempts",
        ("POST", "/v1/session/second-factor"): "sign_in_attempts",
    },
}
# What is sent by POST because it has a body, and changes nothing but when a key was last used.
CHANGES_NOTHING: Mapping[str, set[Route]] = {
    "account": {("POST", "/v1/dry-runs")},
    "fraud": {("POST", "/v1/dry-runs")},
    "identity": {("POST", "/internal/v1/trust/key-uses")},
}
# What whoever may do it sees of other people or other clients.
PRIVILEGED_READS: Mapping[str, set[str]] = {
    "transaction": set(),
    "account": {
        "/v1/customers",
        "/v1/customers/{customer_id}",
        "/v1/customers/{customer_id}/accounts",
        "/v1/customers/{customer_id}/entries",
        "/v1/customers/{customer_id}/kyc-events",
    },
    "fraud": {"/v1/reviews", "/v1/reviews/{payment_id}", "/v1/decisions/{payment_id}"},
    "notification": set(),
    "identity": {
        "/v1/clients",
        "/v1/clients/{client_id}",
        "/v1/clients/{client_id}/changes",
        "/v1/clients/{client_id}/keys",
        "/v1/signing-keys",
        "/v1/people",
        "/v1/people/{person_id}",
        "/v1/people/{person_id}/sessions",
    },
}
NOBODY = ApiKeys([], b"no keys")


@pytest.mark.parametrize("service", PROCESSES)
def test_each_change_is_told_by_the_audit_log_or_by_a_record_of_its_own(service: str) -> None:
    unseen = {
        (method, str(route.path))
        for route in iter_route_contexts(unserved_api(service, NOBODY).routes)
        for method in (route.methods or set()) - {"GET", "HEAD"}
        if not is_audited(route)
    }
    recorded = OWN_RECORD.get(service, {})
    assert unseen == recorded.keys() | CHANGES_NOTHING.get(service, set())
    assert set(recorded.values()) <= set(append_only.TABLES[service])


@pytest.mark.parametrize("service", PROCESSES)
def test_privileged_reads_are_audited_the_log_itself_among_them(service: str) -> None:
    read = {path for method, path in audited_routes(unserved_api(service, NOBODY)) if method == "GET"}
    assert read == PRIVILEGED_READS[service] | {"/v1/audit"}
