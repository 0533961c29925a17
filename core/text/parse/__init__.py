"""Files to Documents: one module a format, chosen by suffix."""

from core.text.parse.base import Limits, Parsed, Problem
from core.text.parse.registry import (
    PARSERS,
    document_id,
    is_supported,
    parse,
    parse_lenient,
    parse_text,
    read_bytes,
    unsupported,
)

__all__ = [
    "PARSERS",
    "Limits",
    "Parsed",
    "Problem",
    "document_id",
    "is_supported",
    "parse",
    "parse_lenient",
    "parse_text",
    "read_bytes",
    "unsupported",
]
