"""Small labelled texts and a tuner that learns by heart, for the tests of the model and its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from apps.finance_sentiment.examples import Example
from apps.finance_sentiment.train_heads import Lesson
from core.backends.fake import FakeEncoder
from core.backends.headed_onnx import OnnxHeads
from core.types import FloatArray

ENCODERS = (FakeEncoder(48, name="english-int8"), FakeEncoder(32, name="multilingual-int8"))

_NAMES = ("Ardent", "Borealis", "Calder", "Dunmore", "Elstow", "Farrow", "Gannet", "Hollis", "Ibex", "Jarrow")
_SAID = {
    "negative": ("profit fell sharply", "sales dropped again", "a loss widened", "the outlook was cut"),
    "neutral": ("a meeting will be held", "the plant stands in Leeds", "a director was appointed", "the report is out"),
    "positive": ("profit rose sharply", "sales climbed again", "an order was won", "the outlook was raised"),
}
_GESAGT = {
    "negative": ("净利润大幅下降", "销售再次下滑", "亏损扩大", "下调全年预期"),
    "neutral": ("将召开会议", "工厂位于苏州", "任命新董事", "报告已发布"),
    "positive": ("净利润大幅增长", "销售再创新高", "中标大额订单", "上调全年预期"),
}
_ABOUT = {0: ("earnings",), 1: ("earnings", "operations"), 2: ("earnings",), 3: ("markets",)}


def sentiment_rows(language: str = "en", each: int = 20) -> list[Example]:
    """`each` texts of every sentiment."""
    said = _SAID if language == "en" else _GESAGT
    return [
        Example(f"{_NAMES[i % 10]} {said[label][i % 4]} {i // 10 + 1}", (label,)) for label in said for i in range(each)
    ]


def topic_rows(language: str = "en", each: int = 20) -> list[Example]:
    """The same texts with their topics."""
    return [Example(row.text, _ABOUT[i % each % 4]) for i, row in enumerate(sentiment_rows(language, each))]


@dataclass
class ByHeart:
    """What `CribTuner` made: right on every text that shares its words with one it has seen."""

    lessons: Mapping[str, Lesson]
    known: Mapping[str, int]

    def logits(self, texts: Sequence[str]) -> dict[str, FloatArray]:
        """4 for the labels of the text with the same middle, -4 for the others; 0 for texts that are new."""
        out = {}
        for task, lesson in self.lessons.items():
            out[task] = np.zeros((len(texts), len(lesson.names)), np.float32)
            for row, text in zip(out[task], texts, strict=True):
                place = self.known.get(middle(text))
                if place is not None:
                    row[:] = np.where(lesson.targets[place], 4.0, -4.0)
        return out

    def export(self, folder: Path, name: str, texts: Sequence[str]) -> OnnxHeads:
        """Not for serving."""
        raise NotImplementedError(f"{name} cannot be exported to {folder}; it was made for {len(texts)} texts")


@dataclass
class CribTuner:
    """A tuner that remembers which words stand for which labels; `useless` forgets everything."""

    useless: bool = False
    calls: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, home: str, texts: Sequence[str], lessons: Mapping[str, Lesson]) -> ByHeart:
        """Remember the texts."""
        self.calls.append((home, len(texts)))
        return ByHeart(lessons, {} if self.useless else {middle(text): i for i, text in enumerate(texts)})


def middle(text: str) -> str:
    """A text without its company and number."""
    return " ".join(text.split()[1:-1])
