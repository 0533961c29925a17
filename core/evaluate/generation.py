"""Figures for generated text over a whole test set: BLEU and chrF against references, perplexity of a model.

Knows strings and token log-likelihoods; nothing of models. `core.evaluate.rouge` has ROUGE, `core.evaluate.text` the
figures of a single answer. BLEU and chrF are sacrebleu's, from the extra `train`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluate.intervals import bootstrap_mean
from core.evaluate.rouge import rouge_values
from core.evaluate.text import exact_match, token_f1

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

References = str | Sequence[str]

_TOKENIZERS = {"zh": "zh", "ja": "char", "ko": "char", "th": "char"}
"""sacrebleu's tokenizer by language; all others take 13a, that of the WMT campaigns."""


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """A figure of a whole corpus and how it was counted."""

    score: float
    """In [0, 100]."""
    signature: str
    """sacrebleu's: tokenizer, smoothing, version. Figures with different ones must not be compared."""


def bleu(predictions: Sequence[str], references: Sequence[References], language: str = "en") -> CorpusScore:
    """Corpus BLEU: up to 4-grams, exponential smoothing, case counts.

    :param predictions: (n,) generated texts.
    :param references: (n,) one reference or several for each.
    :param language: ISO 639-1 code; it chooses the tokenizer: words, or for "zh" words and single Chinese
        characters, for "ja", "ko" and "th" characters throughout.
    :raises InputError: if lengths disagree, n is 0, or a text has no reference that is not empty.

    Papineni et al. 2002, "BLEU"; Post 2018, "A call for clarity in reporting BLEU scores".
    """
    from sacrebleu.metrics.bleu import BLEU

    return _score(BLEU(tokenize=_TOKENIZERS.get(language.lower()[:2], "13a")), predictions, references)


def chrf(predictions: Sequence[str], references: Sequence[References], word_order: int = 0) -> CorpusScore:
    """Corpus chrF2: F-score of character 6-grams with recall weighing twice; needs no tokenizer, so no language.

    :param predictions: (n,) generated texts.
    :param references: (n,) one reference or several for each.
    :param word_order: 0 is chrF; 2 is chrF++.
    :raises InputError: as `bleu`.

    Popovic 2015, "chrF: character n-gram F-score for automatic MT evaluation".
    """
    from sacrebleu.metrics.chrf import CHRF

    return _score(CHRF(word_order=word_order), predictions, references)


def _score(metric: Metric, predictions: Sequence[str], references: Sequence[References]) -> CorpusScore:
    if len(predictions) != len(references):
        raise InputError(f"{len(predictions)} texts for {len(references)} references")
    if not predictions:
        raise InputError("nothing to evaluate: 0 texts")
    listed = [[text for text in ([own] if isinstance(own, str) else own) if text.strip()] for own in references]
    bare = next((i for i, texts in enumerate(listed) if not texts), None)
    if bare is not None:
        raise InputError(f"text {bare} has no reference, or an empty one; leave it out")
    most = max(map(len, listed))
    streams = [[texts[i] if i < len(texts) else None for texts in listed] for i in range(most)]
    found = metric.corpus_score(list(predictions), streams)  # type: ignore[arg-type]  # None: no further reference
    return CorpusScore(float(found.score), str(metric.get_signature()))


@dataclass(frozen=True, slots=True)
class Perplexity:
    """How surprised a model is by a text."""

    nll: float
    """Sum of -ln p over all tokens, in nats."""
    tokens: int
    characters: int
    per_token: float
    """exp(nll / tokens): the perplexity that papers mean. Only models with one tokenizer may be compared by it."""
    per_character: float
    """exp(nll / characters): comparable between models whose tokenizers differ."""
    bits_per_character: float


def perplexity(log_likelihoods: Sequence[npt.NDArray[np.floating]], texts: Sequence[str]) -> Perplexity:
    """Perplexity of a corpus from the log-likelihoods of its tokens.

    :param log_likelihoods: for each text (t,) float, ln p of every token given those before it; only of tokens that
        the model was asked for, so without a leading start token.
    :param texts: the same texts, for the count of their characters (code points).
    :returns: infinite where a token was impossible to the model.
    :raises InputError: if lengths disagree, there is no token or no character, or a log-likelihood is above 0 or NaN.

    Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks"; per character as in
    Mielke 2019, "Can you compare perplexity across different segmentations?".
    """
    if len(log_likelihoods) != len(texts):
        raise InputError(f"log-likelihoods of {len(log_likelihoods)} texts for {len(texts)} texts")
    tokens = sum(len(row) for row in log_likelihoods)
    characters = sum(map(len, texts))
    if not tokens or not characters:
        raise InputError(f"nothing to evaluate: {tokens} tokens, {characters} characters")
    for i, row in enumerate(log_likelihoods):
        if len(row) and not bool((np.asarray(row) <= 1e-4).all()):
            raise InputError(f"text {i} has a log-likelihood above 0 or NaN; give ln p, not p or a loss")
    nll = 0.0 - math.fsum(float(np.sum(row, dtype=np.float64)) for row in log_likelihoods)
    return Perplexity(
        nll=nll,
        tokens=tokens,
        characters=characters,
        per_token=_exp(nll / tokens),
        per_character=_exp(nll / characters),
        bits_per_character=nll / characters / math.log(2),
    )


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def text_figures(
    predictions: Sequence[str], references: Sequence[Sequence[str]], language: str | None = None, *, seed: int = 0
) -> dict[str, object]:
    """Every figure of texts against references, ready for a report.

    :param predictions: (n,) generated texts.
    :param references: (n,) references of each.
    :param language: ISO 639-1 code; None finds it in the references.
    :param seed: of the bootstrap intervals.
    :returns: texts, language, bleu, chrf (0 to 100), rouge1, rouge2, rougeL (mean F1), token_f1, exact_match (0 to 1),
        `ci95` by name for those that are means over texts, and the signatures of BLEU and chrF.
    :raises InputError: as `bleu`.
    """
    from core.text.language import detect_language

    language = language or detect_language(" ".join(texts[0] for texts in references[:50] if texts))
    overall, characters = bleu(predictions, references, language), chrf(predictions, references)
    pairs = list(zip(predictions, references, strict=True))
    means = {kind: table[:, 2] for kind, table in rouge_values(predictions, references).items()}
    means["token_f1"] = np.array([token_f1(ours, theirs) for ours, theirs in pairs])
    means["exact_match"] = np.array([exact_match(ours, theirs) for ours, theirs in pairs])
    intervals = {name: bootstrap_mean(values, seed=seed) for name, values in means.items()}
    return {
        "texts": len(pairs),
        "language": language,
        "bleu": overall.score,
        "chrf": characters.score,
        **{name: interval.value for name, interval in intervals.items()},
        "ci95": {name: [interval.low, interval.high] for name, interval in intervals.items()},
        "signatures": {"bleu": overall.signature, "chrf": characters.signature},
    }
