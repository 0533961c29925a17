"""Column types that hold the same value on SQLite and on PostgreSQL.

Knows SQLAlchemy types and numpy; knows no table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from core.types import FloatArray

REPLACEMENT = "\ufffd"

LITTLE_ENDIAN = np.dtype("<f4")


def storable(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD, one for one, so that offsets stay true.

    PostgreSQL refuses NUL, and neither database takes a lone surrogate.
    """
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


class Characters(TypeDecorator[str]):
    """Text of any length; what no database can keep is replaced by `storable`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Python to SQL."""
        return None if value is None else storable(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware datetimes in, UTC out. SQLite has no time zones, so UTC without its mark is stored there."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Python to SQL.

        :raises ValueError: if the datetime is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; give an aware datetime.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """SQL to Python."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Vector(TypeDecorator[FloatArray]):
    """One vector, (d,) float32, as d little-endian 4-byte floats."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> bytes | None:
        """Python to SQL; bytes pass, so that bulk inserts may pack whole blocks themselves."""
        if value is None or isinstance(value, bytes):
            return value
        return np.ascontiguousarray(value, dtype=LITTLE_ENDIAN).tobytes()

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> FloatArray | None:
        """SQL to Python."""
        return None if value is None else np.frombuffer(value, dtype=LITTLE_ENDIAN).astype(np.float32, copy=False)
