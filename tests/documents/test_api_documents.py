"""What docs/api says is what the code does, and is well formed by the standards it names."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from contracts.catalogue import CATALOGUE, SERVICES, heard_by
from florin import api_docs, metrics_page
from florin.services import PROCESSES
from schemathesis.core.result import Ok

FOLDER = api_docs.folder_here()
every_service = pytest.mark.parametrize("service", PROCESSES)


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_bytes())
    return document


def _references(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _resolve(document: Mapping[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), f"{reference} leads out of the document"
    found: Any = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_the_documents_say_what_the_code_does() -> None:
    assert api_docs.drifted(FOLDER) == []


def test_the_page_of_metrics_says_what_the_code_tells() -> None:
    assert (FOLDER.parent / "metrics.md").read_text() == metrics_page.text()


def test_a_document_that_drifted_is_named(tmp_path: Any) -> None:
    api_docs.write(tmp_path)
    assert api_docs.drifted(tmp_path) == []
    (tmp_path / "fraud.openapi.json").write_text("{}\n")
    (tmp_path / "golden" / "florin.payment.settled.v1.json").write_text("{}\n")
    (tmp_path / "golden" / "florin.payment.forgotten.v1.json").write_text("{}\n")
    (tmp_path / "messages.asyncapi.json").unlink()
    named = [line.split(":")[0] for line in api_docs.drifted(tmp_path)]
    assert named == [
        "fraud.openapi.json",
        "messages.asyncapi.json",
        "golden/florin.payment.settled.v1.json",
        "golden/florin.payment.forgotten.v1.json",
    ]


def test_a_golden_file_is_never_overwritten(tmp_path: Any) -> None:
    api_docs.write(tmp_path)
    golden = tmp_path / "golden-frame" / "body.bin"
    golden.write_bytes(b"[]")
    assert api_docs.write(tmp_path) == []
    assert golden.read_bytes() == b"[]"


@every_service
def test_an_openapi_document_can_be_loaded_by_a_tester_and_every_reference_leads_somewhere(
    service: str,
) -> None:
    document = _document(f"{service}.openapi.json")
    loaded = list(schemathesis.openapi.from_dict(document).get_all_operations())
    assert loaded
    assert [one for one in loaded if not isinstance(one, Ok)] == []
    for reference in _references(document):
        _resolve(document, reference)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@every_service
def test_every_operation_has_a_name_of_its_own_a_scope_and_its_refusals(service: str) -> None:
    document = _document(f"{service}.openapi.json")
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        # Which of them may be open to strangers is written in tests/integration/test_access_matrix.py.
        if operation["security"]:
            assert {"401", "403"} <= operation["responses"].keys()
        assert {"400", "500"} <= operation["responses"].keys()
        assert any(status.startswith("2") for status in operation["responses"])


def test_the_asyncapi_document_describes_every_type_its_sender_and_its_receivers() -> None:
    document = _document("messages.asyncapi.json")
    assert document["asyncapi"] == "3.0.0"
    for reference in _references(document):
        _resolve(document, reference)
    sent = {
        _resolve(document, operation["channel"]["$ref"])["address"]: name.split(".")[0]
        for name, operation in document["operations"].items()
        if operation["action"] == "send"
    }
    assert sent == {entry.name: entry.producer for entry in CATALOGUE}
    for service in SERVICES:
        receive = document["operations"][f"{service}.receive"]
        heard = [_resolve(document, message["$ref"]) for message in receive["messages"]]
        names = [_resolve(document, message["$ref"])["name"] for message in heard]
        assert names == [entry.name for entry in heard_by(service)]


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_golden_events_fit_the_schemas_that_strangers_read(entry: Any) -> None:
    document = _document("messages.asyncapi.json")
    message = document["components"]["messages"][entry.name]
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **message["payload"],
        "components": document["components"],
    }
    validator = jsonschema_rs.Draft7Validator(schema)
    golden = json.loads((FOLDER / "golden" / f"{entry.name}.json").read_bytes())
    validator.validate([golden])
    for example in message["examples"]:
        validator.validate(example["payload"])
    assert not validator.is_valid([])
    assert not validator.is_valid([{**golden, "type": "florin.other.v1"}])
    assert not validator.is_valid([{**golden, "data": {}}])
