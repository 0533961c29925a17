"""More labelled texts: a generator puts training rows in other words, a filter keeps what still means the same.

Knows a generator and an encoder by their protocols; knows no model. For training rows only, after the split: a
paraphrase of a test row is a leak. Small generators mostly copy or wander, so most of what they say is thrown away, and
the report says for which reason.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.backends.base import Encoder, Generator, Sampling
from core.errors import InputError
from core.finetune.data.augment_filter import Filter
from core.finetune.data.examples import Labelled, content
from core.text.clean import collapse, normalise
from core.text.language import detect_language
from core.types import Message

_LEAD = re.compile(
    r"^(?:\s*(?:[-*•]\s+|\d{1,2}[.)]\s+"
    r"|(?:rephrased?|answer|output|new message|in other words|改写|换句话说)\s*[:：]\s*))+",
    re.I,
)
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "「": "」", "`": "`"}
_EXAMPLES = 10
_MOST_TOKENS = 96


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How much is asked for and what is let through."""

    per_row: int = 1
    """New texts wanted for every row."""
    attempts: int = 3
    """Times the generator is asked for each of them, at most."""
    shots: int = 0
    """Other texts of the same label that are shown before the question. Very small generators copy from them."""
    low: float = 0.75
    """Least cosine to the original, in [-1, 1]: below, it means something else."""
    high: float = 0.97
    """Greatest cosine: above, it is a copy."""
    shortest: float = 0.4
    """Least length over that of the original, in characters."""
    longest: float = 2.5
    """Greatest length over that of the original."""
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0

    def check(self) -> None:
        """:raises InputError: if a number is out of range."""
        if min(self.per_row, self.attempts) < 1 or self.shots < 0:
            raise InputError(
                f"per_row {self.per_row}, attempts {self.attempts} must be 1 or more, shots {self.shots} 0"
            )
        if not -1.0 <= self.low < self.high <= 1.0 or not 0.0 < self.shortest < self.longest:
            raise InputError(
                f"low {self.low} must be below high {self.high}, shortest {self.shortest} below longest {self.longest}"
            )


@dataclass(frozen=True, slots=True)
class AugmentReport:
    """What became of what the generator said."""

    rows: int
    """Rows given."""
    said: int
    """Texts the generator wrote."""
    kept: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Texts by the reason that stopped them, and rows that were not asked for ("language not written")."""
    examples: tuple[tuple[str, str, str], ...] = ()
    """(original, what was said, "kept" or the reason), the first few of each."""

    @property
    def share_kept(self) -> float:
        """Of what was said, in [0, 1]."""
        return self.kept / self.said if self.said else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For data.json."""
        return {
            "rows": self.rows,
            "said": self.said,
            "kept": self.kept,
            "share_kept": round(self.share_kept, 4),
            "rejected": dict(self.rejected),
            "examples": [list(example) for example in self.examples],
        }


@dataclass(frozen=True, slots=True)
class Augmented:
    """The new rows; the old ones are not among them."""

    rows: tuple[Labelled, ...]
    """With labels, group and line of the row they were made from."""
    report: AugmentReport


def augment(
    rows: Sequence[Labelled],
    generator: Generator,
    encoder: Encoder,
    settings: AugmentSettings | None = None,
    *,
    advance: Callable[[int], None] | None = None,
) -> Augmented:
    """Paraphrases of the rows that keep their labels. Rows and seed decide the draw, if the generator obeys seeds.

    :param generator: rows in languages it does not write are left out, and counted.
    :param encoder: compares a paraphrase with its original and with all rows; it should know their languages.
    :param advance: is told of every row that is done.
    :raises InputError: if a setting is out of range, there are no rows, or they are pairs of texts.
    """
    settings = settings or AugmentSettings()
    settings.check()
    if not rows or any(row.pair is not None for row in rows):
        raise InputError("augmentation takes single labelled texts, at least one; pairs of texts are left as they are")
    writer = _Writer(rows, generator, settings)
    judge = Filter(rows, encoder, settings.low, settings.high, settings.shortest, settings.longest)
    made: list[Labelled] = []
    rejected: Counter[str] = Counter()
    shown: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    said = 0
    for i, row in enumerate(rows):
        language = detect_language(row.text)
        wanted = settings.per_row if language in generator.languages else 0
        if not wanted:
            rejected["language not written"] += 1
        for attempt in range(settings.per_row * settings.attempts):
            if not wanted:
                break
            try:
                text = writer.paraphrase(i, language, attempt)
            except InputError:  # the row is too long for the generator's context
                rejected["too long to ask"] += 1
                break
            said += 1
            reason = judge.judge(i, text)
            shown[reason or "kept"].append((row.text, text, reason or "kept"))
            if reason is not None:
                rejected[reason] += 1
                continue
            made.append(Labelled(text, row.labels, None, row.group, row.line))
            wanted -= 1
        if advance is not None:
            advance(1)
    examples = tuple(example for found in shown.values() for example in found[:_EXAMPLES])
    report = AugmentReport(len(rows), said, len(made), dict(rejected.most_common()), examples)
    return Augmented(tuple(made), report)


class _Writer:
    """Asks the generator for other words."""

    def __init__(self, rows: Sequence[Labelled], generator: Generator, settings: AugmentSettings) -> None:
        self._rows = rows
        self._generator = generator
        self._settings = settings
        self._alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            self._alike[row.answers].append(i)

    def paraphrase(self, i: int, language: str, attempt: int) -> str:
        """One text, cleaned; it may be empty.

        :raises InputError: if the prompt does not fit the generator's context.
        """
        row = self._rows[i]
        seed = _seed(self._settings.seed, content(row), attempt)
        tokens = min(_MOST_TOKENS, 16 + 2 * self._generator.count_tokens(row.text))
        sampling = Sampling(tokens, self._settings.temperature, self._settings.top_p, seed, ("\n",))
        pieces = self._generator.stream(prompt(row.text, self._shots(i, seed), language), sampling)
        return tidy("".join(piece.text for piece in pieces))

    def _shots(self, i: int, seed: int) -> list[str]:
        """Other texts of the same labels, drawn by the seed."""
        others = [j for j in self._alike[self._rows[i].answers] if self._rows[j].text != self._rows[i].text]
        drawn = sorted(others, key=lambda j: _seed(seed, content(self._rows[j]), 0))
        return [self._rows[j].text for j in drawn[: self._settings.shots]]


def prompt(text: str, shots: Sequence[str], language: str) -> list[Message]:
    """What the generator is asked: two paraphrases shown, texts of the same kind, then the one that is wanted."""
    chinese = language == "zh"
    system, ask, kind, shown = _CHINESE if chinese else _ENGLISH
    messages = [Message("system", system)]
    for before, after in shown:
        messages += [Message("user", f"{ask}{before}"), Message("assistant", after)]
    alike = f"{kind}\n" + "\n".join(f"- {shot}" for shot in shots) + "\n\n" if shots else ""
    return [*messages, Message("user", f"{alike}{ask}{text}")]


def tidy(said: str) -> str:
    """The first line that is not blank, without list marks, leads such as "Rephrased:", and quotes around it."""
    line = next((line for line in normalise(said).split("\n") if line.strip()), "")
    text = _LEAD.sub("", collapse(line))
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def _seed(seed: int, said: str, attempt: int) -> int:
    digest = hashlib.sha256(f"{seed}\n{said}\n{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


_ENGLISH = (
    "You rephrase messages. Say exactly the same in other words. Reply with the new message only.",
    "Rephrase: ",
    "Messages of the same kind:",
    (
        ("My umbrella was left behind on the bus this morning.", "I forgot my umbrella on the bus this morning."),
        ("Is it possible to book a table near the window?", "Could I reserve a table by the window?"),
    ),
)
_CHINESE = (
    "你负责改写句子。用别的说法表达完全相同的意思。只回复改写后的句子。",
    "改写：",
    "同类的句子：",
    (
        ("我今天早上把雨伞忘在公交车上了。", "今早坐公交时，我的雨伞落在车上了。"),
        ("能不能订一张靠窗的桌子？", "可以预订靠窗的座位吗？"),
    ),
)
