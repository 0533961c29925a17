"""A labelled stream to judge rules with: six weeks of texts, with forty surges of negative news and forty decoys.

Made of the shipped samples and companies, the same for the same seed. What is said of the companies is invented. Knows
texts, labels and times; knows neither rules nor models.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from apps.finance_sentiment.entities import Linker
from apps.finance_sentiment.gazetteer import Company, shipped
from apps.finance_sentiment.replay_plan import (
    DAY,
    HOUR,
    Happening,
    Member,
    members,
    plan,
    rhythm,
    surge_times,
    usual_times,
)
from apps.finance_sentiment.replay_words import Deck, about, companies, copied
from apps.finance_sentiment.rows import epoch, moment
from apps.finance_sentiment.schemas import SENTIMENTS, Analysed, Incoming, Labels, Mention, Sentiment

BEGIN = epoch(datetime(2026, 3, 2, tzinfo=UTC))
"""A Monday."""
SOURCES: tuple[str, ...] = (
    "harbour-wire", "northgate-news", "the-ledger", "morning-bell", "city-desk", "floor-talk", "quill-street",
    "tape-reader", "jinghai-caijing", "nanfang-shibao", "gushi-kuaibao", "dongfang-wire",
)  # fmt: skip
NOISY = "rumour-mill"
"""The source that cries wolf."""


@dataclass(frozen=True, slots=True)
class ReplayText:
    """A text with what is true of it."""

    published: int
    arrived: int
    source: str
    language: str
    text: str
    entity: str
    """Empty where it is about no company."""
    sentiment: Sentiment
    topics: tuple[str, ...]
    story: int
    """Texts of one story share it."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Texts in order of arrival, and what happens in them."""

    texts: tuple[ReplayText, ...]
    happenings: tuple[Happening, ...]

    @property
    def surges(self) -> list[Happening]:
        """What an alert is right for."""
        return [h for h in self.happenings if h.surge]


def make_replay(seed: int = 7, days: int = 42, *, size: int = 64) -> Replay:
    """The replay of a seed.

    :param size: companies; three quarters are written about in English, the rest in Chinese.
    """
    rng = np.random.default_rng(seed)
    linker = Linker(shipped())
    deck = Deck(seed, linker)
    chinese = size // 4
    groups = [
        (companies(("US", "GB", "DE", "FR", "JP"), "en", size - chinese, linker), "en"),
        (companies(("CN", "HK"), "zh", chinese, linker), "zh"),
    ]
    people = members(groups, rng)
    happenings = plan(people, BEGIN, days, rng)
    maker = _Maker(deck, rng, days, people)
    for member in people:
        maker.usual(member, [h for h in happenings if h.member is member])
    maker.market()
    for happening in happenings:
        maker.happen(happening)
    return Replay(tuple(sorted(maker.texts, key=lambda t: (t.arrived, t.story, t.source))), tuple(happenings))


class _Maker:
    def __init__(self, deck: Deck, rng: np.random.Generator, days: int, people: Sequence[Member]) -> None:
        self.deck, self.rng, self.days, self.people = deck, rng, days, people
        self.texts: list[ReplayText] = []
        self.stories = 0

    def usual(self, member: Member, its: Sequence[Happening]) -> None:
        """The stories that come anyway, busier where a decoy makes them so."""
        busier = [(h.start, BEGIN + self.days * DAY, 3.0) for h in its if h.kind == "shift"]
        busier += [(h.start, h.end, 10.0 if member.tier == "medium" else 4.0) for h in its if h.kind == "earnings"]
        for at in usual_times(member, BEGIN, self.days, busier, self.rng):
            self.story(at, member.company, member.language, self._any(member.negative))

    def market(self) -> None:
        """Texts about no company, forty a working day."""
        for hour in range(self.days * 24):
            at = BEGIN + hour * HOUR
            for x in self.rng.uniform(0, HOUR, self.rng.poisson(40 / 24 * rhythm(at, "en"))):
                self.story(at + int(x), None, "en" if self.rng.random() < 0.7 else "zh", self._any(0.28))

    def happen(self, h: Happening) -> None:
        """The additional texts of a surge or decoy."""
        rng, end = self.rng, BEGIN + self.days * DAY - 1
        if h.surge:
            for at in surge_times(h, rng):
                member = h.member or self.people[int(rng.integers(len(self.people)))]
                self.story(at, member.company, member.language, "negative", topic=h.topic)
            return
        assert h.member is not None
        company, language = h.member.company, h.member.language
        within = sorted(int(x) for x in rng.uniform(h.start, h.end, 60))
        if h.kind == "volume":
            for at in within[: int(rng.integers(20, 50))]:
                self.story(at, company, language, "positive" if rng.random() < 0.6 else self._any(0.1))
        elif h.kind == "syndicated":
            self.story(h.start, company, language, "negative", copies=200, spread=h.end - h.start)
        elif h.kind == "noisy":
            for at in within[:25]:
                self.story(at, company, language, "negative", source=NOISY, copies=0)
        elif h.kind == "backfill":
            for at in within[:45]:
                published = at - int(rng.uniform(3, 20) * DAY)
                self.story(min(max(published, BEGIN), end), company, language, "negative", arrived=at, copies=0)

    def story(
        self,
        at: int,
        company: Company | None,
        language: str,
        sentiment: Sentiment,
        *,
        topic: str = "",
        source: str = "",
        arrived: int | None = None,
        copies: int | None = None,
        spread: int = 6 * HOUR,
    ) -> None:
        """One story and its copies."""
        rng = self.rng
        sample = self.deck.deal(company.id if company else "", language, sentiment, topic)
        words = about(company, language, sample, int(rng.integers(9)))
        of = SOURCES[:8] if language == "en" else SOURCES[8:]
        first = source or of[int(rng.integers(len(of)))]
        count = int(rng.geometric(0.6)) - 1 if copies is None else copies
        self.stories += 1
        entity = company.id if company else ""
        came = at + int(rng.uniform(5, 90)) if arrived is None else arrived
        self.texts.append(
            ReplayText(at, came, first, language, words, entity, sample.sentiment, sample.topics, self.stories)
        )
        for x in sorted(rng.uniform(120, spread, count)):
            name = of[int(rng.integers(len(of)))]
            text = copied(words, language, name, int(rng.integers(9)))
            again = came + int(x)
            self.texts.append(
                ReplayText(
                    again - 5, again, name, language, text, entity, sample.sentiment, sample.topics, self.stories
                )
            )

    def _any(self, negative: float) -> Sentiment:
        rest = 1 - negative
        return SENTIMENTS[int(self.rng.choice(3, p=[negative, rest * 0.55, rest * 0.45]))]


def analysed(replay: Replay, *, missed: float = 0.0, false: float = 0.0, seed: int = 1) -> Iterator[Analysed]:
    """The texts as a reader would give them, by their true labels.

    :param missed: share of negative stories that are read as neutral; `false`: of the others that are read as negative.
        A story is read the same way in all its copies.
    """
    rng = np.random.default_rng(seed)
    told: dict[int, Sentiment] = {}
    for i, t in enumerate(replay.texts):
        first = t.story not in told
        if first:
            wrong = rng.random() < (missed if t.sentiment == "negative" else false)
            told[t.story] = t.sentiment if not wrong else "neutral" if t.sentiment == "negative" else "negative"
        chances = {s: 0.8 if s == told[t.story] else 0.1 for s in SENTIMENTS}
        labels = Labels(**chances, topics=dict.fromkeys(t.topics, 0.9))
        mentions = (Mention(t.entity, t.entity, 0, 1, 1.0),) if t.entity else ()
        published = moment(t.published)
        text = Incoming(str(i), t.source, moment(t.arrived), t.text, published_at=published, language=t.language)
        yield Analysed(text, t.language, labels, mentions, {}, str(t.story), 1.0 if first else 0.0, first, published)


def write(replay: Replay, folder: Path) -> tuple[Path, Path]:
    """`texts.csv` and `events.csv`, as `triptych finance backtest stream` reads them.

    :returns: the two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts, events = folder / "texts.csv", folder / "events.csv"
    with texts.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("published_at", "received_at", "source", "language", "text"))
        for t in replay.texts:
            stamps = (moment(at).isoformat() for at in (t.published, t.arrived))
            rows.writerow((*stamps, t.source, t.language, t.text))
    with events.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "entity", "start", "end"))
        for i, h in enumerate(replay.surges, 1):
            value = h.member.company.id if h.member else f"topic:{h.topic}"
            rows.writerow((f"{i}-{h.kind}", value, moment(h.start).isoformat(), moment(h.end).isoformat()))
    return texts, events
