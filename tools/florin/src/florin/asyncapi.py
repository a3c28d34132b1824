"""The AsyncAPI 3.0 document of all messages, made from the catalogue, the payload models and the topology."""

import json
from importlib.metadata import version
from typing import Any

from contracts.catalogue import CATALOGUE, SERVICES, MessageType, heard_by
from messaging.event import encode
from messaging.frame import CONTENT_TYPE, MAX_FRAME_EVENTS
from messaging.topology import DELIVERY_LIMIT, Topology

from florin.golden import golden_events, golden_frame

_BINDING_VERSION = "0.3.0"
_DESCRIPTION = """\
Every message is a signed frame: a JSON array of 1 to 200 CloudEvents 1.0 of one type, published persistent
and mandatory to the topic exchange with the type's name as the routing key. Each service consumes one quorum
queue.

A receiver verifies the signature over the exact bytes before it reads them, accepts a type only from the
producer named here, drops events by id that it has seen, and ignores fields it does not know.
docs/reading-a-frame.md tells how to verify and read a frame; docs/api/golden-frame is one to try a reader on.
"""
_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["florin-key-id", "florin-issued-at", "florin-signature"],
    "properties": {
        "florin-key-id": {"type": "string", "description": "Which key of the key ring signed."},
        "florin-issued-at": {
            "type": "string",
            "format": "date-time",
            "description": "When it was sealed: at most 15 minutes ahead of the receiver, however long ago.",
        },
        "florin-signature": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "HMAC-SHA-256, in lower-case hex.",
        },
    },
}
_TEXT = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
_CLOUD_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, JSON format, with the extensions sequence, traceparent and causationid.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "sequence", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**_UUID, "description": "UUIDv7; the key to drop duplicates by."},
        "source": _TEXT,
        "type": _TEXT,
        "subject": {**_TEXT, "description": "The id of the payment that the event is about."},
        "time": {**_TEXT, "format": "date-time", "description": "When it happened."},
        "datacontenttype": {"const": "application/json"},
        "sequence": {
            **_TEXT,
            "pattern": "^[0-9]+$",
            "description": "The payment's own counter, as the producer knew it.",
        },
        "traceparent": {**_TEXT, "description": "W3C trace context, where a trace is known."},
        "causationid": {**_UUID, "description": "The id of the event that led to this one."},
        "data": {"type": "object"},
    },
}


def asyncapi_document() -> dict[str, Any]:
    """The whole document; names are those of the default namespace `florin`."""
    topology = Topology()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Florin messages",
            "version": version("florin-contracts"),
            "description": _DESCRIPTION,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            **{entry.name: _routing_channel(entry, topology) for entry in CATALOGUE},
            **{f"queue.{service}": _queue_channel(service, topology) for service in SERVICES},
        },
        "operations": {
            **{f"{entry.producer}.send.{_short(entry)}": _send(entry) for entry in CATALOGUE},
            **{f"{service}.receive": _receive(service) for service in SERVICES},
        },
        "components": {
            "messages": {entry.name: _message(entry) for entry in CATALOGUE},
            "schemas": {
                "CloudEvent": _CLOUD_EVENT,
                "FrameHeaders": _HEADERS,
                **_payload_schemas(),
            },
        },
    }


def _routing_channel(entry: MessageType, topology: Topology) -> dict[str, Any]:
    exchange = {"name": topology.exchange, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": entry.name,
        "summary": entry.summary,
        "messages": {entry.name: {"$ref": f"#/components/messages/{entry.name}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING_VERSION}},
    }


def _queue_channel(service: str, topology: Topology) -> dict[str, Any]:
    queue = {"name": topology.queue(service), "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": topology.queue(service),
        "summary": f"All that the {service} service hears.",
        "description": f"What the broker gave up on after {DELIVERY_LIMIT} attempts lies in the queue "
        f"{topology.dead_queue(service)}.",
        "messages": {
            entry.name: {"$ref": f"#/components/messages/{entry.name}"} for entry in heard_by(service)
        },
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": _BINDING_VERSION}},
        "x-queue-arguments": {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT},
    }


def _send(entry: MessageType) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{entry.name}"},
        "summary": f"Only the {entry.producer} service sends this type.",
        "messages": [{"$ref": f"#/channels/{entry.name}/messages/{entry.name}"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING_VERSION}},
    }


def _receive(service: str) -> dict[str, Any]:
    channel = f"#/channels/queue.{service}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "summary": "Acknowledged once its effect is committed; a second delivery has no effect.",
        "messages": [{"$ref": f"{channel}/messages/{entry.name}"} for entry in heard_by(service)],
        "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING_VERSION}},
    }


def _message(entry: MessageType) -> dict[str, Any]:
    data = {"$ref": f"#/components/schemas/{entry.payload.__name__}"}
    event = {
        "allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {
                "properties": {
                    "type": {"const": entry.name},
                    "source": {"const": f"/florin/{entry.producer}"},
                    "data": data,
                }
            },
        ]
    }
    return {
        "name": entry.name,
        "title": entry.payload.__name__,
        "summary": entry.summary,
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/FrameHeaders"},
        "payload": {"type": "array", "minItems": 1, "maxItems": MAX_FRAME_EVENTS, "items": event},
        "bindings": {"amqp": {"bindingVersion": _BINDING_VERSION}},
        "examples": [_example(entry)],
    }


def _example(entry: MessageType) -> dict[str, Any]:
    """The golden event; the golden frame itself where it is of this type, whose headers fit its bytes."""
    frame = golden_frame()
    if frame.routing_key != entry.name:
        return {"payload": [json.loads(encode(golden_events()[entry.name]))]}
    return {
        "name": "golden-frame",
        "headers": {
            "florin-key-id": frame.key_id,
            "florin-issued-at": frame.issued_at,
            "florin-signature": frame.signature,
        },
        "payload": json.loads(frame.body),
    }


def _payload_schemas() -> dict[str, Any]:
    """Each payload by its name, and the parts of payloads beside them."""
    schemas: dict[str, Any] = {}
    for entry in CATALOGUE:
        schema = entry.payload.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {entry.payload.__name__: schema}
    return schemas


def _short(entry: MessageType) -> str:
    return entry.name.removeprefix("florin.")
