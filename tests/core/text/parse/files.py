"""Small real files made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

from fpdf import FPDF

CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
STYLES = (
    '<?xml version="1.0"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style></w:styles>'
)


def paragraph(text: str, style: str | None = None) -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def docx(body: str, extra: Mapping[str, bytes] | None = None, prolog: str = '<?xml version="1.0"?>') -> bytes:
    document = (
        f'{prolog}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        f"<w:body>{body}</w:body></w:document>"
    )
    parts: dict[str, bytes] = {
        "[Content_Types].xml": CONTENT_TYPES.encode(),
        "_rels/.rels": RELATIONS.encode(),
        "word/document.xml": document.encode(),
        "word/styles.xml": STYLES.encode(),
        **(extra or {}),
    }
    return zipped(parts)


def zipped(parts: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Pdf:
    """A PDF with a heading, paragraphs, a running header and a footer on every page."""

    def __init__(self, *, title: str | None = None, running: bool = False) -> None:
        self.pdf = FPDF()
        self.pdf.set_auto_page_break(False)
        self.running = running
        if title is not None:
            self.pdf.set_title(title)

    def page(self, heading: str | None, *paragraphs: str) -> Pdf:
        pdf = self.pdf
        pdf.add_page()
        if self.running:
            pdf.set_font("helvetica", size=8)
            pdf.cell(0, 8, "ACME Corp - Confidential", new_x="LMARGIN", new_y="NEXT")
        if heading is not None:
            pdf.set_font("helvetica", "B", 20)
            pdf.cell(0, 12, heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("helvetica", size=11)
        for text in paragraphs:
            pdf.multi_cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(5)
        if self.running:
            pdf.set_y(-15)
            pdf.set_font("helvetica", size=8)
            pdf.cell(0, 8, f"Page {pdf.page_no()} of 9")
        return self

    def encrypted(self, *, owner: str, user: str | None = None) -> Pdf:
        self.pdf.set_encryption(owner_password=owner, user_password=user)
        return self

    def data(self) -> bytes:
        return bytes(self.pdf.output())
