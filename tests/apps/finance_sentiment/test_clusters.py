from __future__ import annotations

import pytest

from apps.finance_sentiment.clusters import Sketch, Story, StoryIndex

STORY = (
    "Harbour Steel halts its Riga furnace after a transformer fire, and 140 workers go home until an inspection ends."
)


def index(**changes: float) -> StoryIndex:
    return StoryIndex(3600, 0.6, **{"capacity": 1000, **changes})  # type: ignore[arg-type]


def told(first: str, second: str, *, apart: int = 60) -> bool:
    """Whether the second text joins the story of the first."""
    known = index()
    known.add(Story(1, Sketch.of(first), 0, 0))
    return known.draft().match(Sketch.of(second), apart, 0).story == 1


@pytest.mark.parametrize(
    "copy",
    [
        STORY,
        STORY.upper(),
        f"UPDATE: {STORY}",
        f"{STORY} https://t.co/abc123",
        f"@desk {STORY}",
        STORY.replace(", and 140 workers", " and workers"),
    ],
)
def test_a_copy_joins_the_story(copy: str) -> None:
    assert told(STORY, copy)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (STORY, "Harbour Steel restarts its Riga furnace and calls all workers back."),
        (
            "Analysts at Bellweather cut their price target for Northlight Foods to 40 dollars from 48 dollars a share",
            "Analysts at Bellweather cut their price target for Northlight Foods to 35 dollars from 48 dollars a share",
        ),
        ("", ""),
        ("https://t.co/a", "https://t.co/b"),
    ],
)
def test_another_message_opens_its_own_story(first: str, second: str) -> None:
    assert not told(first, second)


def test_chinese_copies_are_found_by_their_characters() -> None:
    text = "北辰重工公告称，因原材料价格大幅上涨，公司预计上半年净利润同比下降四成，董事会将讨论减产方案。"
    assert told(text, "【快讯】" + text)
    assert not told(text, "北辰重工公告称，公司中标海上风电项目，合同金额创历史新高，预计明年开始交付设备。")


def test_outside_the_window_the_same_words_are_a_new_story_on_both_sides_of_time() -> None:
    assert told(STORY, STORY, apart=3600)
    assert not told(STORY, STORY, apart=3601)
    assert not told(STORY, STORY, apart=-3601)


def test_copies_within_a_batch_find_each_other_and_the_index_learns_only_from_merge() -> None:
    known = index()
    draft = known.draft()
    first, second, other = (
        draft.match(Sketch.of(text), at, number)
        for number, (text, at) in enumerate(
            [(STORY, 0), (STORY, 3000), ("Rates stay where they are, says the bank.", 0)]
        )
    )
    assert first.story is None and first.novelty == 1
    assert second.story == -1 and second.novelty == 0
    assert other.story is None
    assert len(known) == 0
    draft.merge({0: 7, 2: 8})
    assert len(known) == 2
    assert known.draft().match(Sketch.of(STORY), 6500, 0).story == 7, "the story's time reaches to its last text"


def test_the_least_recently_used_story_is_forgotten() -> None:
    known = index(capacity=2)
    texts = [
        "Aster opens a depot in the old harbour of its home town",
        "The union and the ferry company go back to the table on Friday",
        "Orders for machine tools fell for a third month, the association says",
    ]
    for id, text in enumerate(texts[:2]):
        known.add(Story(id, Sketch.of(text), 0, 0))
    known.touch(0, 10)
    known.add(Story(2, Sketch.of(texts[2]), 0, 0))
    assert [known.draft().match(Sketch.of(text), 0, 9).story for text in texts] == [0, None, 2]


def test_a_stored_sketch_is_the_same_sketch() -> None:
    sketch = Sketch.of(STORY * 30)
    again = Sketch.restore(sketch.hashes, sketch.facts)
    assert again.bands == sketch.bands and again.similarity(sketch) == 1


def test_texts_that_differ_only_in_their_company_are_different_stories() -> None:
    known = index()
    words = "opens a depot in the old harbour of the northern capital, people who know the matter say"
    known.add(Story(1, Sketch.of(f"Aster {words}", ["US:AST"]), 0, 0))
    assert known.draft().match(Sketch.of(f"Borealis {words}", ["US:BOR"]), 0, 0).story is None
    assert known.draft().match(Sketch.of(f"It {words}"), 0, 0).story == 1
