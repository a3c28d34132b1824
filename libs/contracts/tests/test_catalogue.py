"""The catalogue says of each message type who alone sends it, who hears it, and what it carries."""

import re

import pytest
from contracts import messages
from contracts.catalogue import BY_NAME, BY_PAYLOAD, CATALOGUE, SERVICES, MessageType, heard_by
from contracts.messages import Payload, PaymentNotice

every_type = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def _payloads() -> set[type[Payload]]:
    found = {value for value in vars(messages).values() if isinstance(value, type)}
    return {value for value in found if issubclass(value, Payload)} - {Payload, PaymentNotice}


@every_type
def test_a_name_says_subject_fact_and_version(entry: MessageType) -> None:
    assert re.fullmatch(r"florin\.[a-z]+\.[a-z-]+\.v[1-9][0-9]*", entry.name)


@every_type
def test_producer_and_consumers_are_services_and_nobody_writes_to_itself(entry: MessageType) -> None:
    assert {entry.producer, *entry.consumers} <= set(SERVICES)
    assert entry.producer not in entry.consumers
    assert entry.consumers


@every_type
def test_the_summary_is_a_sentence_of_its_own(entry: MessageType) -> None:
    assert entry.summary.endswith(".")
    assert [other.summary for other in CATALOGUE].count(entry.summary) == 1


@every_type
def test_a_payload_bears_the_id_of_what_it_is_about(entry: MessageType) -> None:
    about = "customer_id" if entry.name.startswith("florin.customer.") else "payment_id"
    assert about in entry.payload.model_fields


def test_every_payload_model_is_catalogued_once() -> None:
    assert set(BY_PAYLOAD) == _payloads()
    assert len(BY_NAME) == len(CATALOGUE)


def test_every_consumer_hears_exactly_its_own_types() -> None:
    for service in SERVICES:
        assert heard_by(service) == tuple(entry for entry in CATALOGUE if service in entry.consumers)
    assert {entry for service in SERVICES for entry in heard_by(service)} == set(CATALOGUE)
    assert heard_by("nobody") == ()


def test_only_its_owner_tells_what_became_of_a_payment() -> None:
    told = [entry for entry in CATALOGUE if issubclass(entry.payload, PaymentNotice)]
    assert {entry.producer for entry in told} == {"transaction"}
    assert {entry.consumers for entry in told} == {("notification",)}
