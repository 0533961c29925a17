"""Labelled texts: the desk's own files, and the shipped samples.

    sentiment    text,label                        "Profit rose by a third.",positive       CSV, JSONL or Parquet
    topics       {"text": "...", "labels": ["earnings", "legal"]}                           labels may be an empty list

Sentiments are read under the names people give them: negative, neg, 负面, neutral, 中性, positive, 利好 and others,
in any case. Numbers mean different things in different files (1 is neutral in one and positive in another), so they and
all other names need a mapping, as in {"0": "negative", "1": "neutral", "2": "positive"}. Topics are whatever the desk
calls them. Knows files; nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apps.finance_sentiment.schemas import SENTIMENTS, Sentiment
from core.errors import InputError
from core.finetune.data import HeadColumn, Rows, read_labelled
from core.finetune.data import Labelled as RawRow
from core.text.parse import Problem

SAMPLES = Path(__file__).parent / "samples"
FILES: Mapping[str, tuple[str, ...]] = {"en": ("texts_en_1.jsonl", "texts_en_2.jsonl"), "zh": ("texts_zh.jsonl",)}
"""Files of the shipped samples by language."""

_NAMES: Mapping[Sentiment, str] = {
    "negative": "negative neg bearish bad 负面 负向 消极 利空 看空 看跌 悲观",
    "neutral": "neutral neu none mixed 中性 中立 无",
    "positive": "positive pos bullish good 正面 正向 积极 利好 看多 看涨 乐观",
}
_KNOWN = {name: sentiment for sentiment, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its labels."""

    text: str
    labels: tuple[str, ...]
    """One sentiment, or any number of topics, sorted."""
    line: int = 0
    """Line of the file, from 1."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A shipped text with everything that is said of it."""

    text: str
    sentiment: Sentiment
    topics: tuple[str, ...]


def read_sentiment(
    path: Path | str,
    *,
    mapping: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
) -> Rows[Example]:
    """Texts with a sentiment: columns `text` and `label`.

    :param mapping: what the labels of this file mean, as in {"0": "negative"}; beside the names that are known anyway.
    :param columns: what `text` and `label` are called in this file, as in {"text": "headline"}.
    :param strict: refuse the file if a row is wrong.
    :raises UnknownColumn: if a column is missing.
    :raises InputError: if no row is right, or one is wrong and `strict` is set, or the mapping names no sentiment.
    :raises UnreadableDocument: if the file is missing, empty or damaged.
    """
    known = {**_KNOWN, **_checked(mapping or {})}
    head = HeadColumn("label", (columns or {}).get("label", "label"))
    found = read_labelled(path, heads=[head], columns=columns, strict=strict)
    good, problems = [], list(found.problems)
    for row in found:
        said = row.label()
        sentiment = known.get(said.strip().lower())
        if sentiment is None:
            problems.append(Problem(Path(path).name, row.line, _unknown(said)))
        else:
            good.append(Example(row.text, (sentiment,), row.line))
    return _rows(good, problems, Path(path).name, strict)


def read_topics(path: Path | str, *, columns: Mapping[str, str] | None = None, strict: bool = False) -> Rows[Example]:
    """Texts with topics: columns `text` and `labels`, a list, or names parted by ";" in a CSV. Raises as the other."""
    head = HeadColumn("labels", (columns or {}).get("labels", "labels"), "multi")
    found = read_labelled(path, heads=[head], columns=columns, strict=strict)
    return Rows(tuple(_topics(row) for row in found), found.problems)


def read_samples(language: str, folder: Path = SAMPLES) -> list[Sample]:
    """The shipped samples in a language; none where there are none."""
    found = []
    for name in FILES.get(language, ()):
        path = folder / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            row = json.loads(line)
            found.append(Sample(row["text"], row["sentiment"], tuple(row["topics"])))
    return found


def _topics(row: RawRow) -> Example:
    return Example(row.text, row.labels["labels"], row.line)


def _checked(mapping: Mapping[str, str]) -> dict[str, Sentiment]:
    out: dict[str, Sentiment] = {}
    for said, meant in mapping.items():
        sentiment = _KNOWN.get(meant.strip().lower())
        if sentiment is None:
            raise InputError(f"The label {said!r} is mapped to {meant!r}; say one of {', '.join(SENTIMENTS)}.")
        out[said.strip().lower()] = sentiment
    return out


def _unknown(said: str) -> str:
    return (
        f"the label {said!r:.60} is no sentiment; it must be one of {', '.join(SENTIMENTS)}, "
        f"or be mapped to one, as in --label {said.strip()[:20]}=negative"
    )


def _rows(good: list[Example], problems: list[Problem], file: str, strict: bool) -> Rows[Example]:
    problems.sort(key=lambda problem: problem.line or 0)
    if strict and problems:
        raise InputError(f"{problems[0]}. Nothing was taken in; mend the rows, or leave out --strict.")
    if not good:
        first = f" First problem: {problems[0]}." if problems else ""
        raise InputError(f"{file} holds no good row.{first}")
    return Rows(tuple(good), tuple(problems))
