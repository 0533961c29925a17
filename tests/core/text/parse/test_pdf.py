from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import TooLarge, UnreadableDocument
from core.text.parse import Limits, parse
from tests.core.text.parse.files import Pdf

RETURNS = (
    "Returns are accepted within thirty days of delivery, provided that the item is unused and that its packaging is "
    "complete. We pay the postage if the item was damaged on its way to you."
)
REFUNDS = (
    "Refunds reach your card within five working days, and your bank may need two more days to show them. Ask us for "
    "the reference if they do not arrive."
)
SHIPPING = (
    "Shipping is free above fifty euros; below that it costs $4.90 for every parcel that we send to your address."
)


def test_headings_pages_and_paragraphs_come_out() -> None:
    data = Pdf(title="Our Policies").page("Returns", RETURNS, REFUNDS).page("Shipping", SHIPPING).data()
    (document,) = parse(data, name="policies.pdf")
    assert document.title == "Our Policies" and document.language == "en"
    assert document.text == f"Returns\n\n{RETURNS}\n\n{REFUNDS}\n\nShipping\n\n{SHIPPING}"
    assert [(s.headings, s.page) for s in document.sections] == [(("Returns",), 1), (("Shipping",), 2)]
    first = document.sections[0]
    assert document.text[first.start : first.end].endswith(REFUNDS)


def test_running_headers_and_page_numbers_are_dropped_but_headings_are_not() -> None:
    pdf = Pdf(running=True)
    for number, text in enumerate((RETURNS, REFUNDS, SHIPPING), 1):
        pdf.page(f"Chapter {number}", text)
    (document,) = parse(pdf.data(), name="book.pdf")
    assert "Confidential" not in document.text and "of 9" not in document.text
    assert document.title == "Chapter 1" and [s.headings[0] for s in document.sections] == [
        "Chapter 1",
        "Chapter 2",
        "Chapter 3",
    ]


def test_a_sentence_that_runs_over_a_page_stays_one() -> None:
    data = (
        Pdf()
        .page("Returns", "The item must be returned to the shop where you")
        .page(None, "bought it. Then we pay.")
        .data()
    )
    (document,) = parse(data, name="x.pdf")
    assert "the shop where you bought it." in document.text
    assert [s.page for s in document.sections] == [1, 2]


def test_a_title_that_says_nothing_is_not_taken() -> None:
    assert parse(Pdf(title="Microsoft Word - x.doc").page(None, RETURNS).data(), name="a/return_policy.pdf")[
        0
    ].title == ("return policy")


def test_a_pdf_encrypted_with_the_empty_password_is_read() -> None:
    data = Pdf().encrypted(owner="boss").page("Returns", RETURNS).data()
    assert RETURNS in parse(data, name="x.pdf")[0].text


def test_a_pdf_encrypted_with_a_password_is_refused_with_the_fix() -> None:
    data = Pdf().encrypted(owner="boss", user="secret").page("Returns", RETURNS).data()
    with pytest.raises(UnreadableDocument, match=r"secret\.pdf is encrypted with a password\. Save it without one"):
        parse(data, name="secret.pdf")


def test_a_scanned_pdf_is_refused_with_the_advice_to_run_ocr() -> None:
    with pytest.raises(UnreadableDocument, match=r"scan\.pdf has 2 pages and no text.*OCR"):
        parse(Pdf().page(None).page(None).data(), name="scan.pdf")


def test_damaged_and_renamed_files_are_refused(tmp_path: Path) -> None:
    data = Pdf().page("Returns", RETURNS).data()
    with pytest.raises(UnreadableDocument, match=r"x\.pdf"):
        parse(data[: len(data) // 3], name="x.pdf")
    with pytest.raises(UnreadableDocument, match="does not begin like a PDF"):
        parse(b"<html>hello</html>", name="x.pdf")
    with pytest.raises(UnreadableDocument, match="is a PNG image"):
        parse(b"\x89PNG\r\n\x1a\n....", name="x.pdf")


@pytest.mark.parametrize("step", range(0, 40))
def test_a_pdf_with_flipped_bytes_is_read_or_refused_and_never_crashes(step: int) -> None:
    data = bytearray(Pdf().page("Returns", RETURNS).data())
    for i in range(step * 7 + 9, len(data), 41):
        data[i] ^= 0x15
    try:
        parse(bytes(data), name="x.pdf")
    except (UnreadableDocument, TooLarge) as error:
        assert "x.pdf" in str(error)


def test_a_file_of_100_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(100 * 2**20)
    with pytest.raises(TooLarge, match=r"big\.pdf has 100 MB; the limit is 50 MB"):
        parse(path)


def test_too_many_pages_and_too_much_text_are_refused() -> None:
    data = Pdf().page("A", RETURNS).page("B", REFUNDS).data()
    with pytest.raises(TooLarge, match="has 2 pages; the limit is 1"):
        parse(data, name="x.pdf", limits=Limits(pages=1))
    with pytest.raises(TooLarge, match="more than 50 characters"):
        parse(data, name="x.pdf", limits=Limits(characters=50))
    with pytest.raises(TooLarge, match="took longer"):
        parse(data, name="x.pdf", limits=Limits(seconds=-1))
