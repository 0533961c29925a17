"""Plain text: wrapped lines joined, paragraphs kept. It has no headings."""

from __future__ import annotations

from core.text.clean import collapse, normalise, unwrap_text
from core.text.parse.base import Draft, Parsed, Source
from core.text.parse.decode import decode


def parse_plain(source: Source) -> Parsed:
    """One document; its title is the file name.

    :raises UnreadableDocument: if the file is empty or binary.
    """
    draft = plain_draft(decode(source.data, source.name))
    document = draft.document(id=source.document_id, source=source.name, fallback_title=source.stem)
    return Parsed((document,))


def plain_draft(text: str) -> Draft:
    """A draft without headings."""
    draft = Draft()
    draft.block(collapse(unwrap_text(normalise(text))))
    return draft
