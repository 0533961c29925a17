"""Which language a text is in: script first, English function words second, py3langid last.

Knows text only. The statistical model costs 74 MB and a second to load, so it is loaded when the first two rules do not
settle the matter: for English and Chinese that is hardly ever.
"""

from __future__ import annotations

import re

UNDETERMINED = "und"
"""ISO 639-2 code for a text without letters."""

_SAMPLE = 800
_SHORT = 40
_MARGIN = 7.0  # nats by which another language must beat English on a short text

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_LATIN_WORD = re.compile(r"[a-zA-Z\u00c0-\u024f\u1e00-\u1eff]+(?:['’][a-zA-Z]+)?")
_LETTER = re.compile(r"[^\W\d_]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Function words that are English and no common word of German, Dutch, French, Spanish, Italian or Portuguese.
_ENGLISH = _set(
    """
    the and what how my your you can with this that it are has were would not from they which when where why
    who been should could there their our does did i'm i've don't can't won't doesn't isn't it's what's how's
    where's them these those about after before because into than then only but any some if by she his its
    just get need want please cannot couldn't didn't haven't wasn't
    """
)
# Common in English, and in one of those languages too: they count beside words of the first list.
_WEAK = _set(
    """
    of to in is for on as an or be we if at he was will i me no do so up out more all new may a
    """
)


def detect_language(text: str) -> str:
    """ISO 639-1 code of the text's main language ("en", "zh", "ja", "ko", "de"...), or "und" where it has no letters.

    Short texts: Chinese characters decide against Latin product names ("iPhone 15 的价格" is "zh"); one in Latin
    letters without evidence for another language is "en".
    """
    sample = text[:_SAMPLE]
    if not sample.isascii():
        script = _by_script(sample)
        if script is not None:
            return script
    if not _LETTER.search(sample):
        return UNDETERMINED
    words = _LATIN_WORD.findall(sample.lower().replace("’", "'"))
    evidence = sum(map(_ENGLISH.__contains__, words))
    if words and evidence >= max(1, 0.15 * len(words)):
        return "en"
    if evidence >= max(3, 0.03 * len(words)) and evidence + sum(map(_WEAK.__contains__, words)) >= 0.15 * len(words):
        return "en"
    return _by_model(sample)


def _by_script(sample: str) -> str | None:
    """Language that the script alone settles; None where Latin or another alphabet prevails."""
    han, kana, hangul = (len(pattern.findall(sample)) for pattern in (_HAN, _KANA, _HANGUL))
    if not han + kana + hangul:
        return None
    latin = len(_LATIN_WORD.findall(sample))
    if hangul and hangul >= max(latin, han + kana):
        return "ko"
    if kana and kana + han >= latin and kana >= 0.1 * (kana + han):
        return "ja"
    return "zh" if han >= latin else None


def _by_model(sample: str) -> str:
    import py3langid

    # Three-letter codes are of small languages that short texts are mistaken for (Ligurian, Nigerian Pidgin).
    scores: dict[str, float] = {code: float(score) for code, score in py3langid.rank(sample) if len(code) == 2}
    best = max(scores, key=lambda code: scores[code])
    if best != "en" and len(sample) < _SHORT and scores[best] - scores["en"] < _MARGIN:
        return "en"
    return best
