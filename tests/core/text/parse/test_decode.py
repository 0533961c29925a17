from __future__ import annotations

import random

import pytest

from core.errors import UnreadableDocument
from core.text.parse.decode import decode


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("退款政策：请在七天内联系客服。", "gbk"),
        ("余额查询", "gb18030"),
        ("iPhone 15的价格是5999元", "gbk"),
        ("繁體中文的測試，請問退款", "big5"),
        ("退款政策，请联系客服", "utf-8"),
        ("退款政策", "utf-8-sig"),
        ("退款 Hello", "utf-16"),
        ("Hello there", "utf-16-le"),
        ("Hello there", "utf-16-be"),
        ("退款政策：请 在七天\n内联系客服。" * 5, "utf-16-be"),
        ("Café résumé, naïve “quoted” €5", "cp1252"),
        ("Größe über alles, schön süß", "latin-1"),
        ("Señor ¿dónde está? año", "latin-1"),
    ],
)
def test_encodings_are_told_apart(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), "x.txt") == text


def test_a_few_damaged_bytes_do_not_cost_the_file() -> None:
    data = ("退款政策，请联系客服。" * 20).encode()
    assert decode(data[:200] + data[201:], "x.txt").count("退款政策") >= 19


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.md is empty"),
        (b" \r\n\t", "x.md is empty"),
        (b"\x89PNG\r\n\x1a\nabc", "x.md is a PNG image, not text"),
        (b"%PDF-1.7 abc", "x.md is a PDF, not text: give it the suffix .pdf"),
        (b"PK\x03\x04abc", "x.md is a zip file"),
        (b"\x7fELF\x02\x01", "x.md is a program"),
        (bytes(range(256)) * 20, "x.md is binary, not text, whatever its suffix says"),
        (random.Random(1).randbytes(5_000), "x.md is binary"),
    ],
)
def test_empty_and_binary_files_are_refused_with_what_they_are(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        decode(data, "x.md")
    assert message in str(caught.value)
