"""State machines, health, snippets, settings: what decides without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_service.domain.delivery import (
    Answer,
    AttemptError,
    Claim,
    DeliveryStatus,
    Finished,
    answered,
    settle,
)
from notification_service.domain.endpoint import DisabledReason, Endpoint, EndpointStatus, Tries
from notification_service.domain.retry import MAX_TRIES
from notification_service.domain.snippet import sanitise
from notification_service.settings import NotificationSettings
from service_kit.settings import SettingsError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def endpoint(**fields: Any) -> Endpoint:
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "client_id": "demo",
        "url": "https://a.example/",
        "description": None,
        "event_types": ("payment.settled",),
        "status": EndpointStatus.ACTIVE,
        "status_reason": None,
        "status_changed_at": NOW,
        "failing_since": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Endpoint(**(defaults | fields))


def finished(answer: Answer, *, tries: int = 1) -> Finished:
    claim = Claim(
        delivery_id=uuid4(),
        lease_token=uuid4(),
        endpoint_id=uuid4(),
        webhook_id="evt_1",
        attempt_no=tries,
        tries=tries,
        url="https://a.example/",
        body=b"{}",
        traceparent=None,
        occurred_at=NOW,
        replayed=False,
        held_back=False,
        probe=False,
    )
    return Finished(claim=claim, started_at=NOW, ended_at=NOW, duration_ms=1, answer=answer)


@pytest.mark.parametrize(
    ("status_code", "succeeded", "error"),
    [
        (200, True, None),
        (204, True, None),
        (299, True, None),
        (101, False, AttemptError.HTTP_STATUS),
        (300, False, AttemptError.REDIRECT),
        (308, False, AttemptError.REDIRECT),
        (404, False, AttemptError.HTTP_STATUS),
        (410, False, AttemptError.HTTP_STATUS),
        (500, False, AttemptError.HTTP_STATUS),
    ],
)
def test_only_2xx_is_success(status_code: int, succeeded: bool, error: AttemptError | None) -> None:
    answer = answered(status_code, retry_after_s=None, snippet="")
    assert (answer.succeeded, answer.error) == (succeeded, error)


@pytest.mark.parametrize(
    ("status_code", "tries", "expected"),
    [
        (200, 1, DeliveryStatus.DELIVERED),
        (500, 1, DeliveryStatus.PENDING),
        (500, MAX_TRIES - 1, DeliveryStatus.PENDING),
        (500, MAX_TRIES, DeliveryStatus.FAILED),
        (410, 1, DeliveryStatus.FAILED),
    ],
)
def test_answer_decides_the_delivery(status_code: int, tries: int, expected: DeliveryStatus) -> None:
    answer = answered(status_code, retry_after_s=None, snippet="")
    settled = settle(finished(answer, tries=tries), draw=lambda: 0.5)
    assert settled.status is expected
    assert (settled.next_attempt_at is not None) == (expected is DeliveryStatus.PENDING)


def test_failing_is_counted_from_the_first_failure_and_ends_with_a_success() -> None:
    def after(before: Endpoint, at: datetime, *, succeeded: bool = False) -> Endpoint:
        tries = Tries(at=at, succeeded=succeeded, failures=int(not succeeded))
        return before.after_tries(tries, disable_after=WEEK, draw=lambda: 0.5)

    failing = after(endpoint(), NOW)
    assert failing.failing_since == NOW
    assert after(failing, NOW + timedelta(days=6)).failing_since == NOW
    dead = after(failing, NOW + WEEK)
    assert (dead.status, dead.status_reason) == (EndpointStatus.DISABLED, DisabledReason.FAILING_TOO_LONG)
    assert after(failing, NOW + WEEK, succeeded=True).failing_since is None


def test_endpoint_that_is_off_is_not_switched_off_again() -> None:
    off = endpoint().disabled(DisabledReason.RECEIVER_GONE, at=NOW)
    assert off.disabled(DisabledReason.FAILING_TOO_LONG, at=NOW) is off
    tries = Tries(at=NOW, failures=1, gone=True)
    assert off.after_tries(tries, disable_after=WEEK, draw=lambda: 0.5) is off
    on = off.enabled(at=NOW)
    assert (on.status, on.status_reason, on.failing_since) == (EndpointStatus.ACTIVE, None, None)
    assert on.enabled(at=NOW) is on


@given(st.binary(max_size=5_000))
def test_snippet_is_short_printable_text_whatever_came(raw: bytes) -> None:
    snippet = sanitise(raw)
    assert len(snippet) <= 500
    assert all(character.isprintable() for character in snippet)


BASE = {
    "FLORIN_DATABASE_URL": "postgresql://localhost",
    "FLORIN_BROKER_URL": "amqp://localhost",
    "FLORIN_KEYRING_FILE": "k.json",
    "FLORIN_API_KEYS_FILE": "a.json",
    "FLORIN_API_KEY_PEPPER": "0123456789abcdef" * 4,
}


def read(monkeypatch: pytest.MonkeyPatch, **extra: str) -> NotificationSettings:
    for name, value in (BASE | extra).items():
        monkeypatch.setenv(name, value)
    return NotificationSettings.read()


def test_private_targets_are_for_development_only(monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe = {"FLORIN_WEBHOOK_ALLOW_PRIVATE": "true", "FLORIN_WEBHOOK_ALLOW_HTTP": "true"}
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **unsafe)
    assert {line.partition(":")[0] for line in str(refused.value).splitlines()} == set(unsafe)
    assert read(monkeypatch, **unsafe, FLORIN_ENVIRONMENT="development").webhook_allow_http


def test_nothing_private_is_allowed_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = read(monkeypatch).target_policy
    assert (policy.allow_private, policy.allow_http, policy.ports) == (False, False, frozenset({443, 8443}))


def test_ports_are_read_from_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, FLORIN_WEBHOOK_PORTS="443, 9443").target_policy.ports == {443, 9443}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLORIN_WEBHOOK_PORTS", "443;80"),
        ("FLORIN_WEBHOOK_PORTS", "0"),
        ("FLORIN_WEBHOOK_PORTS", ""),
        ("FLORIN_WEBHOOK_LEASE_S", "39"),
        ("FLORIN_WEBHOOK_CONCURRENCY", "0"),
    ],
)
def test_setting_that_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError):
        read(monkeypatch, **{name: value})
