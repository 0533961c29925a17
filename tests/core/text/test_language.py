from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where's my card?", "en"),
        ("Card not working", "en"),
        ("refund", "en"),
        ("Does the café on Main Street take cards?", "en"),
        ("The fee is 5 % of the amount that you withdraw.", "en"),
        ("退款吗", "zh"),
        ("查余额", "zh"),
        ("iPhone 15 Pro Max 的价格", "zh"),
        ("what does 谢谢 mean", "en"),
        ("カードはどこですか", "ja"),
        ("카드가 어디에 있나요", "ko"),
        ("Wo ist meine Karte?", "de"),
        ("¿Dónde está mi tarjeta?", "es"),
        ("Où est ma carte bancaire", "fr"),
        ("Где моя карта", "ru"),
        ("123 456", "und"),
        ("3.5% / 2021", "und"),
        ("", "und"),
        ("🙂 !", "und"),
    ],
)
def test_short_texts_are_told_apart(text: str, language: str) -> None:
    assert detect_language(text) == language


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_code_of_two_letters_or_none(text: str) -> None:
    code = detect_language(text)
    assert code == "und" or (len(code) == 2 and code.isalpha())


def test_plain_english_and_chinese_do_not_load_the_model() -> None:
    program = (
        "import sys; from core.text.language import detect_language as d;"
        "assert d('How can I get my money back?') == 'en' and d('怎么退款') == 'zh';"
        "assert 'py3langid' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
