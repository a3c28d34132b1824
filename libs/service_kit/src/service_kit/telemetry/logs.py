"""Log lines: one JSON object each, on standard output, with the trace id and without secrets or
personal data."""

import asyncio
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import IO, Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from service_kit.telemetry.traces import add_trace_ids, current_trace_id

# Named by what must never be read in a log. Matched as whole words of the key, so that `key_id` stays
# readable.
_SECRET_KEYS = frozenset(
    {
        "authorization",
        "api_key",
        "apikey",
        "password",
        "passwd",
        "pepper",
        "secret",
        "token",
        "cookie",
        "database_url",
        "broker_url",
        "migration_database_url",
        "signature",
        "idempotency_key",
        "private_key",
    }
)
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]*@", re.IGNORECASE)
_API_KEY = re.compile(r"\bflk_([a-z2-7]{8})_[A-Za-z0-9_-]{8,}")
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# Postgres quotes the offending row's values in these lines of its errors, and its driver what it cannot send.
_ROW_VALUES = re.compile(r"\b(DETAIL:|CONTEXT:|invalid input [^:\n]*:)[^\n]*")
_HIDDEN = "[hidden]"
_MAX_TEXT = 8_000
_FLUSH_S = 0.1
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z

_stream: IO[bytes] = sys.stdout.buffer
_service = "unconfigured"
_min_level = logging.INFO
_flush_due = False


def configure_logging(*, service: str, level: str = "INFO", stream: IO[bytes] | None = None) -> None:
    """Routes structlog and the standard library's logging through one JSON writer. Call once, first of
    all."""
    global _stream, _service, _min_level  # noqa: PLW0603  a process has one standard output
    _stream, _service = stream or sys.stdout.buffer, service
    _min_level = logging.getLevelNamesMapping()[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _render],
        wrapper_class=structlog.make_filtering_bound_logger(_min_level),
        logger_factory=lambda *_: _LineLogger(),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(shared)


def write_soon(event: MutableMapping[str, Any]) -> None:
    """Writes one line as it stands, within `_FLUSH_S`: one write to the system then takes many lines.

    For a hot path that has nothing to redact, and whose last lines nobody misses when the process is killed.
    """
    global _flush_due  # noqa: PLW0603  as the stream
    event["service"] = _service
    _stream.write(_line(event))
    if not _flush_due:
        _flush_due = True
        asyncio.get_running_loop().call_later(_FLUSH_S, _flush)


def is_enabled(level: int) -> bool:
    """Whether lines of this level are written."""
    return level >= _min_level


def redact(value: Any, *, key: str = "") -> Any:
    """The value without what must not be written: by its key, or by what it looks like."""
    if key.lower() in _SECRET_KEYS:
        return _HIDDEN
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(name): redact(item, key=str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return value


def _redact_text(text: str) -> str:
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…"
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", text)
    if "flk_" in text:
        text = _API_KEY.sub(rf"flk_\1_{_HIDDEN}", text)
    if "DETAIL:" in text or "CONTEXT:" in text or "invalid input " in text:
        text = _ROW_VALUES.sub(rf"\1 {_HIDDEN}", text)
    if "earer" in text or "asic" in text or "EARER" in text:
        text = _BEARER.sub(rf"\1 {_HIDDEN}", text)
    return text


def _render(_logger: Any, _method: str, event: EventDict) -> dict[str, Any]:
    line = {"service": _service, "level": event.pop("level", "info"), "event": redact(event.pop("event", ""))}
    line.update({key: redact(value, key=key) for key, value in event.items() if not key.startswith("_")})
    return {"event": line}


def _emit(event: Mapping[str, Any]) -> None:
    _stream.write(_line(event))
    _stream.flush()


def _flush() -> None:
    global _flush_due  # noqa: PLW0603  as the stream
    _flush_due = False
    _stream.flush()


def _line(event: Mapping[str, Any]) -> bytes:
    at = datetime.now(UTC)
    # orjson writes the instant itself, several times faster than isoformat.
    return orjson.dumps({"at": at, **event}, default=str, option=_OPTIONS)


class _LineLogger:
    """The end of structlog's chain: writes the rendered line, whatever the level's name was."""

    def _write(self, event: Mapping[str, Any]) -> None:
        _emit(event)

    debug = info = warning = warn = error = critical = exception = fatal = msg = log = _write


class _StandardHandler(logging.Handler):
    """Takes the records of uvicorn, alembic, aio_pika and the rest into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line: dict[str, Any] = {
                "service": _service,
                "level": record.levelname.lower(),
                "event": _redact_text(record.getMessage()),
                "logger": record.name,
            }
            trace_id = current_trace_id()
            if trace_id is not None:
                line["trace_id"] = trace_id
            if record.exc_info is not None:
                line["exception"] = _redact_text(logging.Formatter().formatException(record.exc_info))
            _emit(line)
        except Exception:
            self.handleError(record)


def _route_standard_logging(_shared: list[Processor]) -> None:
    root = logging.getLogger()
    root.handlers = [_StandardHandler()]
    root.setLevel(_min_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "asyncio", "aio_pika", "aiormq"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Ours tells of each request; the libraries below chatter at INFO.
    chatty = (
        "uvicorn.access",
        "aio_pika",
        "aiormq",
        "sqlalchemy.engine",
        "alembic.runtime.plugins",
        "httpx2",
    )
    for name in chatty:
        logging.getLogger(name).setLevel(max(_min_level, logging.WARNING))
