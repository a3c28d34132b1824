"""Frames that failed verification, kept byte for byte for whoever investigates them."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.failures import MalformedFrame
from messaging.frame import Frame
from messaging.storable import storable

_KEPT_BYTES = 1024 * 1024

_SAVE = text(
    """
    INSERT INTO quarantine
        (reason, detail, frame_id, routing_key, content_type, key_id, issued_at, signature, body)
    VALUES (:reason, :detail, :frame_id, :routing_key, :content_type, :key_id, :issued_at, :signature, :body)
    """
)


async def save(connection: AsyncConnection, refused: Sequence[tuple[Frame, MalformedFrame]]) -> None:
    """Keep refused frames with their reasons (bodies up to 1 MiB), in the caller's transaction."""
    if not refused:
        return
    rows = [
        {
            "reason": why.code,
            "detail": storable(why.detail),
            "frame_id": storable(frame.id),
            "routing_key": storable(frame.routing_key),
            "content_type": storable(frame.content_type),
            "key_id": storable(frame.key_id),
            "issued_at": storable(frame.issued_at),
            "signature": storable(frame.signature),
            "body": frame.body[:_KEPT_BYTES],
        }
        for frame, why in refused
    ]
    await connection.execute(_SAVE, rows)
