"""ROUGE by hand and against rouge-score, which runs in its own process: it brings absl, which takes over logging."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from core.errors import InputError
from core.evaluate.rouge import KINDS, Overlap, corpus_rouge, rouge, rouge_tokens, rouge_values

ROUGE_SCORE = """
import json, sys
from rouge_score import rouge_scorer
scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
print(json.dumps([scorer.score_multi(references, predicted) for predicted, references in json.load(sys.stdin)]))
"""

WORDS = ("the", "Bank", "doesn't", "3.5%", "pay", "out", "e-mail", "_x_", "!", "42")


def theirs(pairs: list[tuple[str, list[str]]]) -> list[dict[str, list[float]]]:
    """rouge-score's precision, recall and F1 by kind."""
    done = subprocess.run(
        [sys.executable, "-c", ROUGE_SCORE], input=json.dumps(pairs), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_english_figures_are_rouge_scores() -> None:
    draw = random.Random(0)

    def text() -> str:
        return " ".join(draw.choices(WORDS, k=draw.randrange(13)))

    pairs = [(text(), [text()]) for _ in range(400)]
    for (predicted, references), found in zip(pairs, theirs(pairs), strict=True):
        ours = rouge(predicted, references)
        for kind in KINDS:
            expected = pytest.approx(found[kind])
            assert [ours[kind].precision, ours[kind].recall, ours[kind].f1] == expected, (predicted, references)


def test_several_references_give_the_best_as_rouge_score_does() -> None:
    references = ["the cat sat", "a dog lay on the mat", "the cat lay on a mat"]
    ours = rouge("the cat lay on the mat", references)
    (found,) = theirs([("the cat lay on the mat", references)])
    assert [ours[kind].f1 for kind in KINDS] == pytest.approx([found[kind][2] for kind in KINDS])


def test_rouge_score_itself_sees_nothing_in_chinese() -> None:
    (found,) = theirs([("退款", ["退款"])])
    assert found["rougeL"][2] == 0.0
    assert rouge("退款", "退款")["rougeL"].f1 == 1.0


def test_chinese_is_counted_by_character() -> None:
    assert rouge_tokens("我们3天内退款，OK！") == ["我", "们", "3", "天", "内", "退", "款", "ok"]
    found = rouge("三天内退款", "款项三天内退回")
    assert found["rouge1"] == Overlap(1.0, 5 / 7, 10 / 12)
    assert found["rouge2"].precision == 3 / 4
    assert found["rougeL"] == Overlap(4 / 5, 4 / 7, 8 / 12)


def test_chinese_may_be_counted_by_word() -> None:
    tokens = rouge_tokens("我们提供退款服务 for VIPs", "words")
    assert tokens[-2:] == ["for", "vips"]
    assert {"提供", "退款", "服务"} <= set(tokens)
    assert rouge("退款服务", "服务退款", "words")["rouge1"].f1 == 1.0


def test_full_width_forms_are_folded() -> None:
    assert rouge_tokens("ＡＢＣ１２") == ["abc12"]


def test_nothing_shares_nothing() -> None:
    assert rouge("", "")["rouge1"] == Overlap(0.0, 0.0, 0.0)
    assert rouge("word", "word")["rouge2"].f1 == 0.0


def test_the_corpus_figure_is_the_mean_of_the_texts() -> None:
    predictions, references = ["a b", "x"], ["a c", ["y", "x"]]
    assert corpus_rouge(predictions, references)["rouge1"].f1 == pytest.approx((0.5 + 1.0) / 2)
    assert rouge_values(predictions, references)["rougeL"].shape == (2, 3)


def test_a_long_text_takes_no_minutes() -> None:
    text = "字" * 40_000
    assert rouge(text, text[:20_000])["rougeL"].recall == 1.0


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(InputError, match="1 texts for 2"):
        corpus_rouge(["a"], ["a", "b"])
    with pytest.raises(InputError, match="0 texts"):
        corpus_rouge([], [])
    with pytest.raises(InputError, match="at least one reference"):
        rouge("a", [])
    with pytest.raises(InputError, match="'syllables'"):
        rouge_tokens("a", "syllables")  # type: ignore[arg-type]
