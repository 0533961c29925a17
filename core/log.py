"""Logs for people or machines: one line an event, with the request it belongs to, personal data taken out.

Nothing happens at import: `configure` is called by a command or by a server when it starts. Until then structlog's own
defaults are in force. Records of other libraries (uvicorn, alembic) pass through the same processors. Knows nothing of
HTTP: the web layer opens `request_context` around a request.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from core.settings import CoreSettings

KEPT = frozenset({"level", "timestamp", "logger", "request_id", "sha256", "version"})
"""Keys whose values we make ourselves; redaction would take long numbers in them for phones or cards."""
DEPTH = 6
"""Nested values deeper than this are written as their redacted `repr`."""


def configure(settings: CoreSettings, *, quietly: bool = False) -> None:
    """Send every record to stderr, as lines for people or as one JSON object a line.

    May be called again; the last call holds.

    :param settings: `log_format` and `log_level` are read.
    :param quietly: warnings only, unless a level was set: what a command wants, whose result is its output.
    """
    from core.text.redact import redact  # noqa: F401  (fail here, at the start, and not at the first record)

    level = "warning" if quietly and "log_level" not in settings.model_fields_set else settings.log_level
    people = settings.log_format == "console"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_values,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if people
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    handler = Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("faiss", "alembic", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(own).handlers = []
        logging.getLogger(own).propagate = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class Stderr(logging.Handler):
    """Writes to stderr as it is at that moment: programs and tests may replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a closed stderr is no reason to stop."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it as `log.info("ingested", files=3)`: an event in plain words, facts as keywords."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def request_context(request_id: str | None = None, **facts: str) -> Iterator[str]:
    """Every record inside carries `request_id` and `facts`, across awaits and `asyncio.to_thread`.

    :param request_id: the caller's own id; none makes a new one of 16 hexadecimal digits.
    :returns: the id in force.
    """
    name = request_id or uuid.uuid4().hex[:16]
    with structlog.contextvars.bound_contextvars(request_id=name, **facts):
        yield name


def request_id() -> str | None:
    """The id of the request being served, if one is."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def redact_values(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Structlog processor: e-mail addresses, phones, cards and identity numbers leave every string, however deep."""
    return {key: value if key in KEPT or key.startswith("_") else _clean(value) for key, value in event.items()}


def _clean(value: Any, depth: int = DEPTH) -> Any:
    from core.text.redact import redact

    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth and isinstance(value, Mapping):
        return {str(k): _clean(v, depth - 1) for k, v in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_clean(v, depth - 1) for v in value]
    return redact(str(value) if isinstance(value, BaseException) else repr(value))
