from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.backends.fake import FakeEncoder, FakeGenerator
from core.errors import InputError
from core.finetune.data import AugmentSettings, Labelled, augment
from core.finetune.data.augment import prompt, tidy
from core.types import Message


def row(text: str, label: str, line: int = 0, group: str | None = None) -> Labelled:
    return Labelled(text, {"label": (label,)}, None, group, line)


ROWS = [
    row("my bank card was stolen on the train", "lost", 2, "ann"),
    row("somebody took my bank card", "lost", 3),
    row("how long does the parcel take to arrive", "delivery", 4),
    row("when will the parcel arrive at my house", "delivery", 5),
]
LOOSE = AugmentSettings(low=0.3, high=0.999)


def test_a_paraphrase_keeps_label_group_and_line() -> None:
    generator = FakeGenerator("the card of my bank was stolen on a train")
    made = augment(ROWS[:1], generator, FakeEncoder(), LOOSE)
    assert made.rows == (row("the card of my bank was stolen on a train", "lost", 2, "ann"),)
    assert (made.report.said, made.report.kept, made.report.share_kept) == (1, 1, 1.0)
    assert made.report.examples[0] == (ROWS[0].text, made.rows[0].text, "kept")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "empty"),
        ("My bank card was stolen, on the train!", "copy"),
        ("card", "length"),
        ("我的银行卡在火车上被人偷走了，请问应该怎么办才好呢", "language"),
        ("my bank card was stolen on the train at 5 pm", "new numbers or identifiers"),
        ("we would like to hear a happy song", "other meaning"),
    ],
)
def test_what_may_not_keep_the_label_is_thrown_away_with_the_reason(said: str, reason: str) -> None:
    made = augment(ROWS[:1], FakeGenerator(said), FakeEncoder(), LOOSE)
    assert not made.rows and made.report.rejected == {reason: 3}


def test_a_question_stays_a_question() -> None:
    asked = row("how do I block the stolen card?", "lost")
    made = augment([asked], FakeGenerator("you block the stolen card in the app"), FakeEncoder(), LOOSE)
    assert made.report.rejected == {"no question any more": 3}
    assert augment([asked], FakeGenerator("how can I block the stolen card?"), FakeEncoder(), LOOSE).rows


def test_what_lies_nearer_to_another_label_is_thrown_away() -> None:
    rows = [row("the card is late today", "late"), row("my parcel is late", "late"), row("the card was lost", "lost")]
    generator = FakeGenerator("the card was lost or is late")
    made = augment(rows[:1] + rows[1:], generator, FakeEncoder(), AugmentSettings(low=0.3, high=0.999))
    assert made.report.rejected["nearer to another label"] >= 3
    assert all(new.label() == "lost" for new in made.rows)


def test_the_same_paraphrase_is_taken_once() -> None:
    made = augment(
        ROWS[:1],
        FakeGenerator("the card of my bank was stolen on a train"),
        FakeEncoder(),
        AugmentSettings(per_row=2, attempts=2, low=0.3, high=0.999),
    )
    assert len(made.rows) == 1 and made.report.rejected == {"copy": 3}


def test_the_draw_follows_from_rows_and_seed() -> None:
    def echo(messages: Sequence[Message]) -> str:
        return "really " + messages[-1].content.rsplit("Rephrase: ", 1)[1]

    def prompts(seed: int) -> list[tuple[Message, ...]]:
        generator = FakeGenerator(echo)
        made = augment(ROWS, generator, FakeEncoder(), AugmentSettings(low=0.3, high=0.999, seed=seed))
        assert [r.text for r in made.rows] == [f"really {r.text}" for r in ROWS]
        return generator.heard

    assert prompts(1) == prompts(1)


def test_rows_in_languages_the_generator_does_not_write_are_counted() -> None:
    generator = FakeGenerator("x", languages=["en"])
    made = augment([row("我的银行卡丢了", "lost")], generator, FakeEncoder())
    assert made.report.said == 0 and made.report.rejected == {"language not written": 1} and not generator.heard


def test_a_row_that_does_not_fit_the_context_is_counted() -> None:
    made = augment(
        [row("how can you tell what the card is for " * 30, "a")], FakeGenerator("x", context_tokens=100), FakeEncoder()
    )
    assert made.report.rejected == {"too long to ask": 1}


def test_progress_is_told_row_by_row() -> None:
    steps: list[int] = []
    augment(ROWS, FakeGenerator("x"), FakeEncoder(), advance=steps.append)
    assert steps == [1, 1, 1, 1]


def test_the_prompt_shows_texts_of_the_same_label_in_the_texts_language() -> None:
    generator = FakeGenerator("x")
    augment(ROWS, generator, FakeEncoder(), AugmentSettings(shots=3, attempts=1))
    assert ROWS[1].text in generator.heard[0][-1].content and ROWS[2].text not in generator.heard[0][-1].content
    messages = prompt("where is it", ["one", "two"], "en")
    assert [message.role for message in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[-1].content.endswith("- one\n- two\n\nRephrase: where is it")
    assert prompt("在哪里", [], "zh")[-1].content == "改写：在哪里"


@pytest.mark.parametrize(
    "said",
    ["\n- Hello you\nmore", 'Rephrased: "Hello you"', "1. Hello you", "“Hello you”", "In other words: Hello you"],
)
def test_decorations_are_taken_off(said: str) -> None:
    assert tidy(said) == "Hello you"


def test_settings_and_rows_out_of_range_are_refused() -> None:
    for wrong in (AugmentSettings(per_row=0), AugmentSettings(low=0.9, high=0.5), AugmentSettings(shortest=3)):
        with pytest.raises(InputError):
            augment(ROWS, FakeGenerator(), FakeEncoder(), wrong)
    with pytest.raises(InputError, match="at least one"):
        augment([], FakeGenerator(), FakeEncoder())
    with pytest.raises(InputError, match="pairs of texts are left"):
        augment([Labelled("a", {"label": ("x",)}, "b")], FakeGenerator(), FakeEncoder())
