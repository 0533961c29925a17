"""Fitting of heads: labelled texts and encoders in, one reading for each task and family of languages out.

With a tuner the encoder of a family is fine-tuned too, and used where texts it has not seen speak for it. Knows texts,
encoders and what tunes one; nothing of files or settings.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from apps.finance_sentiment.examples import Example
from apps.finance_sentiment.model import FAMILIES, TUNED_FOLDER, Reading, Task, family, plain_name
from apps.finance_sentiment.schemas import SENTIMENTS
from apps.finance_sentiment.wording import GRAMS, views
from core.backends.base import Encoder
from core.backends.headed_onnx import OnnxHeads
from core.errors import InputError
from core.evaluate.labels import BoolArray
from core.heads.features import Kind
from core.heads.features_fit import Fitted, Table, Texts, fit_head, folds_of
from core.progress import Report, quiet
from core.text.language import detect_language
from core.types import FloatArray, IntArray

FEWEST = 30
"""Texts of a family of languages below which it gets no head of its own."""

FEW = 4_500
"""Texts up to which all are held out in turn to judge a tuned encoder; of more, a fifth is."""

_EACH = 2  # texts of a label that a fit needs, one to learn from and one to judge by


class TunedEncoder(Protocol):
    """See `apps.finance_sentiment.tune.Tuned`."""

    def logits(self, texts: Sequence[str]) -> dict[str, FloatArray]:
        """(n, k) float32 by task."""
        ...

    def export(self, folder: Path, name: str, texts: Sequence[str]) -> OnnxHeads:
        """Write the served folder and open it."""
        ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a task has to teach."""

    names: tuple[str, ...]
    """k labels, sorted."""
    kind: Kind
    targets: BoolArray
    """(n, k) bool."""

    def said(self, i: int) -> tuple[str, ...]:
        """The labels of text i."""
        return tuple(self.names[j] for j in np.flatnonzero(self.targets[i]))

    def take(self, which: IntArray) -> Lesson:
        """Of some of the texts."""
        return replace(self, targets=self.targets[which])


class Tune(Protocol):
    """See `apps.finance_sentiment.tune.Tuner`."""

    def __call__(self, home: str, texts: Sequence[str], lessons: Mapping[str, Lesson]) -> TunedEncoder:
        """Tune the encoder of a family of languages on texts."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Whether and how encoders are tuned."""

    tune: Tune
    always: bool = False
    """Use the tuned encoder even where the held-out texts do not speak for it."""
    again: bool = True
    """Tune once more on all texts after the judgement; False keeps the encoder that was judged last."""
    homes: tuple[str, ...] = FAMILIES
    """Families of languages whose encoder is tuned."""
    share: int = 0
    """Hold out one text in so many, once; 0 goes by their number: all of few in turn, else a fifth."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Readings and what their training reached."""

    readings: dict[tuple[Task, str], Reading] = field(default_factory=dict)
    """By task and family of languages."""
    held_out: dict[str, dict[str, float]] = field(default_factory=dict)
    """By "task family", on texts that were not learned from; see `core.heads.features_fit.Fitted`. Where tuning was
    tried, `plain_merit` against `tuned_merit` is what decided."""
    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    """By "task family", what each opinion weighs."""
    seconds: float = 0.0
    """Wall time, encoding included."""

    def of(self, task: Task) -> dict[str, Reading]:
        """Readings of a task by family."""
        return {home: reading for (each, home), reading in self.readings.items() if each == task}


def fit_tasks(
    lessons: Mapping[Task, Sequence[Example]],
    encoders: Sequence[Encoder],
    *,
    plan: Plan | None = None,
    folder: Path | None = None,
    progress: Report = quiet,
) -> Trained:
    """Fit the heads of one task, or of several on the same texts, for every family of languages with enough texts.

    :param lessons: by task; several tasks have the same texts in the same order, and share what is tuned.
    :param encoders: the English one and the multilingual one.
    :param plan: how to tune encoders first; None uses them as they are.
    :param folder: gets the folders of tuned encoders, `<family>/tuned-0`; needed with a plan.
    :raises InputError: if no family has enough texts, or they all have one label.
    """
    start = time.perf_counter()
    rows = {task: list(examples) for task, examples in lessons.items()}
    texts = [row.text for row in next(iter(rows.values()))]
    homes = np.array([family(detect_language(text)) for text in texts])
    trained = Trained()
    for home in dict.fromkeys(homes.tolist()):
        mine = np.flatnonzero(homes == home)
        if len(mine) >= FEWEST or len(mine) == len(texts):
            school = _School(
                home,
                [texts[i] for i in mine],
                {task: _lesson(task, home, [each[i] for i in mine]) for task, each in rows.items()},
                encoders[0] if home == "en" else encoders[-1],
                progress,
            )
            _learn(school, plan, folder, trained)
    return replace(trained, seconds=time.perf_counter() - start)


@dataclass(frozen=True, slots=True)
class _School:
    """All that is to be learned in one family of languages."""

    home: str
    texts: list[str]
    lessons: dict[Task, Lesson]
    encoder: Encoder
    progress: Report

    def table(self, task: Task, outside: Mapping[str, FloatArray] | None = None, fold: IntArray | None = None) -> Table:
        """What a head is fitted on: with a tuned encoder the frozen one is left out."""
        lesson = self.lessons[task]
        read = [Texts(tokens, *orders) for tokens, orders in zip(views(self.texts), GRAMS[self.home], strict=True)]
        rows = np.zeros((len(self.texts), 0), np.float32) if outside else self.encoder.encode(self.texts)
        said = (outside[task],) if outside else ()
        return Table(lesson.names, lesson.kind, lesson.targets, rows, tuple(read), said, fold)


def _learn(school: _School, plan: Plan | None, folder: Path | None, trained: Trained) -> None:
    tuned: dict[Task, Fitted] = {}
    served: tuple[OnnxHeads, ...] = ()
    plain: dict[Task, Fitted] = {}
    if plan is not None and folder is not None and school.home in plan.homes:
        fold = _folds(school, plan.share)
        outside, last = _judge(school, plan.tune, fold)
        tuned = {task: fit_head(school.table(task, outside, fold), progress=school.progress) for task in school.lessons}
        if not plan.always:
            plain = {task: fit_head(school.table(task, fold=fold), progress=school.progress) for task in school.lessons}
        if plan.always or _merit(tuned) > _merit(plain):
            encoder = (
                plan.tune(school.home, school.texts, {str(t): each for t, each in school.lessons.items()})
                if plan.again
                else last
            )
            place = folder / school.home / f"{TUNED_FOLDER}-0"
            served = (encoder.export(place, f"finance-{school.home}", school.texts),)
    if not served and not plain:
        plain = {task: fit_head(school.table(task), progress=school.progress) for task in school.lessons}
    for task in school.lessons:
        fitted = tuned[task] if served else plain[task]
        name = f"{task} {school.home}"
        trained.readings[task, school.home] = Reading(fitted.head, "" if served else plain_name(school.encoder), served)
        trained.weights[name] = fitted.weights
        trained.held_out[name] = fitted.held_out
        if tuned and plain:
            trained.held_out[name] |= {"tuned_merit": _merit(tuned), "plain_merit": _merit(plain)}


def _folds(school: _School, share: int) -> IntArray:
    """(n,) int64: the fold in which a text is held out, -1 for never."""
    first = next(iter(school.lessons.values()))
    if not share and len(school.texts) <= FEW:
        return folds_of(first.targets, 4)
    fold = folds_of(first.targets, share or 5)
    return np.where(fold == 0, 0, -1)


def _judge(school: _School, tune: Tune, fold: IntArray) -> tuple[dict[str, FloatArray], TunedEncoder]:
    """Logits by task of every text that is held out, by an encoder that has not seen it; and the last encoder."""
    outside = {task: np.zeros(lesson.targets.shape, np.float32) for task, lesson in school.lessons.items()}
    encoder: TunedEncoder | None = None
    for f in np.unique(fold[fold >= 0]):
        seen, unseen = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        parts = {str(task): lesson.take(seen) for task, lesson in school.lessons.items()}
        encoder = tune(school.home, [school.texts[i] for i in seen], parts)
        for task, logits in encoder.logits([school.texts[i] for i in unseen]).items():
            outside[task][unseen] = logits  # type: ignore[index]
    if encoder is None:
        raise InputError("There are no texts to judge a tuned encoder by.")
    return {str(task): logits for task, logits in outside.items()}, encoder


def _merit(fitted: Mapping[Task, Fitted]) -> float:
    """What two ways are compared by: the mean of accuracy (micro F1) and macro F1, over the tasks."""
    figures = [each.held_out for each in fitted.values()]
    return float(np.mean([f.get("accuracy", f.get("micro_f1", 0.0)) + f["macro_f1"] for f in figures]) / 2)


def _lesson(task: Task, home: str, rows: Sequence[Example]) -> Lesson:
    names = SENTIMENTS if task == "sentiment" else tuple(sorted({label for row in rows for label in row.labels}))
    place = {str(name): i for i, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), dtype=np.bool_)
    for i, row in enumerate(rows):
        targets[i, [place[label] for label in row.labels]] = True
    kind: Kind = "single" if task == "sentiment" else "multi"
    enough = int((targets.sum(axis=0) >= _EACH).sum())
    if enough < (2 if kind == "single" else 1):
        raise InputError(
            f"A {task} model needs {'two labels' if kind == 'single' else 'a label'} with {_EACH} texts each, better "
            f"fifty; the {len(rows)} texts of the family {home!r} have {enough}."
        )
    return Lesson(tuple(map(str, names)), kind, targets)
