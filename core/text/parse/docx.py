"""DOCX as text, by way of mammoth and the HTML reader. The zip is judged before anything is unpacked.

Knows zips and Word. Pictures, comments and embedded style maps are not read; nothing outside the file is opened.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any
from xml.parsers.expat import ExpatError

from core.errors import TooLarge, UnreadableDocument
from core.text.parse.base import Parsed, Source
from core.text.parse.decode import kind_of
from core.text.parse.html import html_draft

_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\x00!\x00(?:D\x00O\x00C|E\x00N\x00T)|\x00<\x00!\x00(?:D\x00O|E\x00N)")
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
_JUDGED_FROM = 10 * 2**20


def parse_docx(source: Source) -> Parsed:
    """One document with a section for every heading; its title is the first of level 1, else the file name.

    :raises UnreadableDocument: if the file is no DOCX, damaged or encrypted.
    :raises TooLarge: if it would inflate beyond the limits (a zip bomb).
    """
    import mammoth

    _judge(source)
    try:
        result = mammoth.convert_to_html(
            io.BytesIO(source.data),
            style_map=_STYLES,
            include_embedded_style_map=False,
            external_file_access=False,
            convert_image=_no_image,
        )
    except (
        zipfile.BadZipFile,
        zlib.error,
        ExpatError,
        KeyError,
        ValueError,
        AttributeError,
        OSError,
        RecursionError,
    ) as error:
        raise UnreadableDocument(
            f"{source.name} is damaged ({type(error).__name__}: {str(error)[:200]}). Open it in Word and save it again."
        ) from error
    draft = html_draft(result.value, boilerplate=True)
    if draft.length > source.limits.characters:
        raise TooLarge(f"{source.name} holds more than {source.limits.characters:,} characters of text. Split it.")
    return Parsed((draft.document(id=source.document_id, source=source.name, fallback_title=source.stem),))


def _no_image(image: Any) -> list[Any]:
    return []


def _judge(source: Source) -> None:
    """Refuse what is no DOCX and what would inflate too far, from the zip's directory and the heads of its XML.

    zipfile never inflates an entry beyond its declared size, so the declared sizes bound what follows.
    """
    name, limits = source.name, source.limits
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            entries = archive.infolist()
            if len(entries) > limits.entries:
                raise TooLarge(
                    f"{name} holds {len(entries):,} files; the limit is {limits.entries:,}. It is no ordinary DOCX."
                )
            inflated = sum(entry.file_size for entry in entries)
            if inflated > limits.inflated_bytes:
                raise TooLarge(
                    f"{name} would inflate to {inflated / 2**20:,.0f} MB; the limit is "
                    f"{limits.inflated_bytes / 2**20:,.0f} MB. Remove its pictures, or split it."
                )
            if inflated > _JUDGED_FROM and inflated > limits.inflation * len(source.data):
                raise TooLarge(
                    f"{name} would inflate {inflated / len(source.data):,.0f} times; the limit is "
                    f"{limits.inflation:g}. It looks like a zip bomb; open it in Word and save it again."
                )
            if not any(entry.filename == "word/document.xml" for entry in entries):
                raise UnreadableDocument(f"{name} is a zip file but no Word document. Save it as .docx.")
            for entry in entries:
                _judge_part(archive, entry, source)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        kind = kind_of(source.data)
        what = (
            f"is {kind[0]}: {kind[1]}"
            if kind and not source.data.startswith(b"PK")
            else f"is a damaged zip file ({error})"
        )
        raise UnreadableDocument(f"{name} {what}. Open it in Word and save it again as .docx.") from error


def _judge_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Source) -> None:
    if entry.flag_bits & 1:
        raise UnreadableDocument(f"{source.name} is encrypted. Save it without a password.")
    if not entry.filename.endswith((".xml", ".rels")):
        return
    if entry.file_size > source.limits.markup_bytes:
        raise TooLarge(
            f"{source.name} has a part of {entry.file_size / 2**20:,.0f} MB ({entry.filename[:100]}); the limit is "
            f"{source.limits.markup_bytes / 2**20:,.0f} MB. Split the document, or save it as PDF."
        )
    with archive.open(entry) as part:
        if _DOCTYPE.search(part.read(65_536)):
            raise UnreadableDocument(
                f"{source.name} declares XML entities, which Word never does. Save it again in Word."
            )
