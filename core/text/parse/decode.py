"""Bytes of a text file to characters: byte-order marks, UTF-8, UTF-16, GB18030, Big5, Latin-1; binary files are named.

Knows encodings and magic numbers; knows nothing of what the text means.
"""

from __future__ import annotations

import codecs
import re

from core.errors import UnreadableDocument

_MAGIC = (
    (b"%PDF-", "a PDF", "give it the suffix .pdf"),
    (b"PK\x03\x04", "a zip file (DOCX, XLSX...)", "give it its own suffix, as in .docx"),
    (b"PK\x05\x06", "an empty zip file", "export it again"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Office file", "save it as .docx without a password"),
    (b"\x89PNG\r\n", "a PNG image", "images hold no text to read; run OCR first"),
    (b"\xff\xd8\xff", "a JPEG image", "images hold no text to read; run OCR first"),
    (b"GIF8", "a GIF image", "images hold no text to read"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x7fELF", "a program", "leave it out"),
    (b"SQLite format 3\x00", "a SQLite database", "export its tables as CSV"),
    (b"PAR1", "a Parquet file", "export it as CSV or JSONL"),
    (b"{\\rtf", "an RTF file", "save it as .docx or .txt"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{3,20})", re.I)
_CONTROLS = bytes(set(range(32)) - {9, 10, 11, 12, 13, 26, 27})
_SAMPLE = 200_000

# The commonest Chinese characters, simplified and traditional: real text is full of them, mojibake is not.
_COMMON_HAN = frozenset(
    "的一是不了在有人我他这個个中大来上国到说們们为和子你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心"
    "多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但"
    "身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第"
    "門问题請请您號号户銀银行卡費费用款客服務务开账帳單单退換换订訂支付價价格產产品這來國說為時會過學對裡後麼沒於還發當無開經頭長動兩樣現將與進實點種聲話問給幾業間電"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CJK_MARK = re.compile(r"[\u3001-\u3011\uff01-\uff5e]")


def kind_of(data: bytes) -> tuple[str, str] | None:
    """What a binary file is and what to do with it, by its first bytes; None where they tell nothing."""
    for magic, kind, fix in _MAGIC:
        if data.startswith(magic):
            return kind, fix
    if data[:4] == b"RIFF" or data[4:8] == b"ftyp":
        return "an audio, image or video file", "leave it out"
    return None


def decode(data: bytes, name: str, *, html: bool = False) -> str:
    """Characters of a text file.

    Order: byte-order mark, UTF-8, UTF-16 without mark, the charset an HTML page declares, GB18030 or Big5 where the
    result reads as Chinese, Windows-1252 (Latin-1). A few damaged bytes in UTF-8 are dropped, not the file.

    :param name: file as shown to people, for messages.
    :raises UnreadableDocument: if the file is empty or binary.
    """
    if not data.strip(b"\x00 \t\r\n\x0c"):
        raise UnreadableDocument(f"{name} is empty.")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").replace("\ufffd", "")
    binary = kind_of(data)
    if binary is not None:
        raise UnreadableDocument(f"{name} is {binary[0]}, not text: {binary[1]}.")
    wide = _utf16(data)
    if wide is not None:
        return wide
    _refuse_binary(data, name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if html and (declared := _META.search(data[:4096])):
        try:
            encoding = codecs.lookup(declared[1].decode("ascii")).name
            return data.decode("gb18030" if encoding in ("gb2312", "gbk") else encoding)
        except (LookupError, UnicodeDecodeError):
            pass
    return _guess(data)


def _refuse_binary(data: bytes, name: str) -> None:
    sample = data[:_SAMPLE]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > max(2, 0.01 * len(sample)):
        raise UnreadableDocument(
            f"{name} is binary, not text, whatever its suffix says. Export it as PDF, DOCX, HTML or plain text."
        )


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a byte-order mark, by its zero bytes (Latin text) or its ASCII spaces and newlines (Chinese)."""
    sample = data[: _SAMPLE & ~1]
    if len(data) % 2 or b"\x00" not in sample:
        return None
    half = len(sample) // 2
    for encoding, zeros in (("utf-16-le", sample[1::2].count(0)), ("utf-16-be", sample[0::2].count(0))):
        if zeros > 0.005 * half:
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            readable = sum(c.isprintable() or c in "\r\n\t" for c in text[:2000])
            plausible = zeros > 0.5 * half or _chinese_share(text[:2000]) > 0.5
            if plausible and readable > 0.97 * min(len(text), 2000):
                return text
    return None


def _guess(data: bytes) -> str:
    damaged = data.decode("utf-8", "replace")
    broken = damaged.count("\ufffd")
    multibyte = len(damaged) - len(damaged.encode("ascii", "ignore")) - broken
    if broken * 20 <= multibyte:
        return damaged.replace("\ufffd", "")
    best, score = "", 0.0
    for encoding in ("gb18030", "big5"):
        text = data.decode(encoding, "replace")
        found = _chinese_share(text[:20_000]) - 5 * text.count("\ufffd") / max(1, len(text))
        if found > score:
            best, score = text, found
    if score > 0.25:
        return best.replace("\ufffd", "")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _chinese_share(text: str) -> float:
    """How much the characters beyond ASCII read as Chinese: 1 for marks and common characters, .5 for ordinary ones."""
    beyond = [c for c in text if c > "\x7f"]
    if not beyond:
        return 0.0
    score = 0.0
    for c in beyond:
        if c in _COMMON_HAN or _CJK_MARK.match(c):
            score += 1.0
        elif _HAN.match(c):
            score += 0.5 if _ordinary(c) else -0.2
    return score / len(beyond)


def _ordinary(c: str) -> bool:
    """Whether a character is among the 3,755 of GB2312 level 1 or the 5,401 of Big5 level 1."""
    try:
        return 0xB0 <= c.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        pass
    try:
        return 0xA4 <= c.encode("big5")[0] <= 0xC6
    except UnicodeEncodeError:
        return False
