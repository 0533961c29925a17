"""What an alert keeps of its texts, and its two sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.rows import DAY, HOUR, epoch
from apps.finance_sentiment.schemas import Labels, SeriesKey
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.summary import summarise, told
from core.backends.fake import FakeEncoder, FakeGenerator
from core.types import FloatArray
from tests.apps.finance_sentiment._alerts import evidence_of
from tests.apps.finance_sentiment._texts import BAD, GOOD, START, reading

T0 = epoch(START)
MILD = Labels(0.5, 0.3, 0.2, {})
CRASH = "Apple faces a sweeping antitrust probe over its app store rules in Europe"
RECALL = "Apple recalls two million chargers after reports of overheating in Japan"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'test.db'}") as opened:
        index = StoryIndex(3 * DAY, 0.6)
        about = {"US:AAPL": 0.9}
        texts = [
            reading("1", CRASH, minute=5, companies=about, by_entity={"US:AAPL": BAD}),
            *(reading(f"c{i}", CRASH, minute=6 + i, source=f"copy{i}", companies=about) for i in range(6)),
            reading("2", RECALL, minute=9, labels=MILD, companies=about),
            reading("3", "Apple opens a store in a small town by the sea", minute=12, labels=GOOD, companies=about),
            reading("4", "Rival Banana loses a patent case in court on Monday", minute=13, companies={"US:BAN": 0.9}),
            *(
                reading(f"d{d}", f"Day {d * 7} brings {d}{d} small remarks", minute=5 - 1440 * d, companies=about)
                for d in (1, 2, 3)
            ),
        ]  # fmt: skip
        opened.record(texts, index, 0.3)
        yield opened


def test_the_stories_that_weigh_most_come_first_with_all_that_is_known_of_them(store: Store) -> None:
    found = evidence_of(store, T0, T0 + HOUR)
    first, second, third = found["stories"]  # type: ignore[misc]
    assert (first["title"], first["source"], first["copies"]) == (CRASH, "wire", 7)
    assert first["influence"] > second["influence"] > third["influence"] == 0
    assert sum(s["influence"] for s in found["stories"]) == pytest.approx(1, abs=0.001)  # type: ignore[attr-defined]
    assert first["score"] == -0.75 and first["topics"] == {"legal": 0.9}
    assert first["mentions"] == [{"entity": "US:AAPL", "name": "US:AAPL", "relevance": 0.9, "score": -0.75}]
    assert found["totals"] == {
        "stories": 3, "texts": 9, "negative": 2, "positive": 1, "share_negative": 0.6667, "mean_score": -0.1,
    }  # fmt: skip


def test_the_chart_shows_the_window_beside_what_was_usual_at_that_hour(store: Store) -> None:
    chart = evidence_of(store, T0, T0 + HOUR)["chart"]
    assert isinstance(chart, dict)
    assert len(chart["values"]) == len(chart["expected"]) == 48 and chart["seconds"] == HOUR
    assert chart["start"] + 48 * HOUR == T0 + HOUR == chart["window_end"]
    assert chart["values"][-1] == 2.0 and chart["expected"][-1] == 2.1
    assert chart["values"][-25] == 1.0 and chart["expected"][-25] == 1.0  # the same hour of the day before


def test_a_window_that_slides_is_charted_too(store: Store) -> None:
    for start, end in ((T0 + 7 * 60, T0 + 22 * 60), (T0 - DAY, T0 + HOUR), (T0, T0 + 60), (T0 - 9 * DAY, T0)):
        chart = evidence_of(store, start, end)["chart"]
        assert isinstance(chart, dict)
        assert chart["start"] <= start or end - start > DAY
        assert chart["start"] + 48 * chart["seconds"] >= end


def test_nothing_changes_when_the_texts_are_deleted(store: Store) -> None:
    found = evidence_of(store, T0, T0 + HOUR)
    frozen = json.dumps(found)
    assert store.delete_texts_before(T0 + DAY) > 0
    assert json.dumps(found) == frozen and CRASH in frozen
    assert evidence_of(store, T0, T0 + HOUR)["stories"] == []


def test_a_link_that_is_no_web_address_is_left_out(store: Store) -> None:
    found = evidence_of(store, T0, T0 + HOUR)
    assert {s["url"] for s in found["stories"]} == {""}  # type: ignore[attr-defined]


def test_the_summary_gives_the_numbers_and_quotes_the_first_headlines(store: Store) -> None:
    english, chinese = summarise(evidence_of(store, T0, T0 + HOUR))
    assert english == (
        "2 of 3 stories about Apple between 09:00 and 10:00 UTC on 2 March 2026 were negative (negative stories: 14 "
        f"against 2.1 usual, limit 8). The story that weighs most is “{CRASH}” (wire, told 7 times), "
        f"then “{RECALL}” (wire)."
    )
    assert "关于Apple的3条报道中有2条为负面" in chinese and f"“{CRASH}”（wire，共7条）" in chinese


def test_where_texts_fail_to_come_the_summary_says_since_when(store: Store) -> None:
    key = SeriesKey("source", "copy0")
    english, chinese = summarise(evidence_of(store, T0 + DAY, T0 + DAY + HOUR, key, ""))
    assert english.endswith("UTC on 3 March 2026; the last one came at 09:06 UTC on 2 March 2026.")
    assert "没有关于copy0的文本" in chinese and chinese.endswith("2026年3月2日09:06。")


def test_a_sentence_of_the_generator_is_taken_only_where_a_story_proves_it(store: Store) -> None:
    found = evidence_of(store, T0, T0 + HOUR)
    encoder = FakeEncoder()

    def encode(texts: object) -> FloatArray:
        return encoder.encode(texts)  # type: ignore[arg-type]

    true = "Apple recalls two million chargers after reports of overheating in Japan."
    assert (told(found, FakeGenerator(true), encode) or "").endswith(f"limit 8). {true}")
    for wrong in ("Apple recalls nine million chargers after reports of overheating in Japan.", "Banks fell.", ""):
        assert told(found, FakeGenerator(wrong), encode) is None
    assert told(found, FakeGenerator(true), encode, "zh") is None


def test_topics_and_all_texts_have_names_in_both_languages(store: Store) -> None:
    english, chinese = summarise(evidence_of(store, T0, T0 + HOUR, SeriesKey("topic", "legal"), ""))
    assert "stories about Regulation and litigation" in english and "监管与诉讼" in chinese
    english, _ = summarise(evidence_of(store, T0, T0 + HOUR, SeriesKey("all"), ""))
    assert "stories about all texts" in english
