"""Text: files to documents, documents to passages, texts to sentences and words. Knows no model and no app."""

from core.text.chunk import chunk, chunk_many
from core.text.clean import clean
from core.text.dedup import exact_duplicates, fingerprint, near_duplicates
from core.text.language import detect_language
from core.text.parse import Limits, Parsed, Problem, parse, parse_lenient, parse_text
from core.text.redact import redact
from core.text.segment import sentences, words

__all__ = [
    "Limits",
    "Parsed",
    "Problem",
    "chunk",
    "chunk_many",
    "clean",
    "detect_language",
    "exact_duplicates",
    "fingerprint",
    "near_duplicates",
    "parse",
    "parse_lenient",
    "parse_text",
    "redact",
    "sentences",
    "words",
]
