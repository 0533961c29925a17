"""Words for a replay: the shipped samples, dealt out so that no company hears the same one twice in a row.

Knows samples and companies; knows no times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.entities import Linker
from apps.finance_sentiment.examples import Sample, read_samples
from apps.finance_sentiment.gazetteer import Company, shipped
from apps.finance_sentiment.rows import moment
from apps.finance_sentiment.schemas import Incoming, Sentiment

LANGUAGES = ("en", "zh")
_STYLES = {
    "en": ("{name}: {text}", "{name} - {text}", "{name} | {text}"),
    "zh": ("{name}：{text}", "【{name}】{text}", "{name}，{text}"),
}
_COPIES = {
    "en": ("{text} ({source})", "{text} via {source}", "{source}: {text}"),
    "zh": ("{text}（{source}）", "{text} 来源：{source}"),
}


def linked(text: str, linker: Linker) -> tuple[str, ...]:
    """Ids of the companies that the linker finds in a text."""
    return tuple(m.entity for m in linker.find(Incoming("x", "x", moment(0), text)))


def companies(market: Sequence[str], language: str, count: int, linker: Linker) -> list[Company]:
    """The first shipped companies of some markets whose name alone, in a language, is always understood."""
    found = []
    for company in shipped():
        if company.id.split(":")[0] not in market:
            continue
        name = company.title(language)
        if language == "zh" and not company.name_zh:
            continue
        if linked(_STYLES[language][0].format(name=name, text=""), linker) == (company.id,):
            found.append(company)
        if len(found) == count:
            break
    return found


@dataclass(slots=True)
class _Pile:
    cards: list[int]
    at: int = 0


class Deck:
    """The samples of each language and sentiment, shuffled for every company by itself."""

    def __init__(self, seed: int, linker: Linker) -> None:
        """Samples that name a known company are left out: they would count for it."""
        self._seed = seed
        self._piles: dict[tuple[str, str, str, str], _Pile] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        for language in LANGUAGES:
            for sample in read_samples(language):
                if not linked(sample.text, linker) and "\n" not in sample.text:
                    self.samples.setdefault((language, sample.sentiment), []).append(sample)

    def deal(self, whose: str, language: str, sentiment: Sentiment, topic: str = "") -> Sample:
        """The next sample for a company.

        :param topic: only samples of this topic; empty for any.
        """
        name = (whose, language, sentiment, topic)
        pile = self._piles.get(name)
        there = self.samples[language, sentiment]
        if pile is None:
            fitting = [i for i, s in enumerate(there) if not topic or topic in s.topics]
            rng = np.random.default_rng([self._seed, *(ord(c) for c in "".join(name))])
            pile = self._piles[name] = _Pile([int(i) for i in rng.permutation(fitting)])
        sample = there[pile.cards[pile.at % len(pile.cards)]]
        pile.at += 1
        return sample


def about(company: Company | None, language: str, sample: Sample, style: int) -> str:
    """A sample as a text about a company; as it is, where there is none."""
    if company is None:
        return sample.text
    styles = _STYLES[language]
    return styles[style % len(styles)].format(name=company.title(language), text=_handle(sample.text))


def copied(text: str, language: str, source: str, style: int) -> str:
    """The same story as another source prints it."""
    styles = _COPIES[language]
    return styles[style % len(styles)].format(text=text, source=source)


def _handle(text: str) -> str:
    """Without tickers at the front, which would name somebody else."""
    return re.sub(r"^(?:\$[A-Z]{1,6}\b[\s:,-]*)+", "", text)
