"""Fitting of the intent classifier: labelled messages and encoders in, a classifier out.

With a plan one encoder is tuned on the messages first, and judged on rows it has not seen, beside the encoders as they
are. Knows messages, encoders and what tunes one; nothing of files or settings.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from apps.customer_service.data import Labelled
from apps.customer_service.intents import OUT_OF_SCOPE, IntentClassifier, join, readings, tokens
from core.backends.base import Encoder
from core.errors import InputError
from core.heads.examples import Examples, Part, stratified
from core.heads.fit import Fitted, fit_mixture
from core.types import FloatArray, IntArray

_MATCHED = 2_500  # examples that are kept token by token at most: 2 ms a message for each thousand
_FOLDS = {True: 4, False: 10}  # few examples or not


class Tune(Protocol):
    """Makes an encoder of texts and their classes."""

    def __call__(self, texts: Sequence[str], classes: IntArray, k: int, folder: Path) -> Encoder:
        """The encoder, its files in the folder; see `apps.customer_service.tune.Tuner`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Whether and how an encoder is tuned."""

    tune: Tune
    few: bool
    """Few examples: two quarters are held out in turn to judge, then all are used. Many: a tenth stays held out."""
    always: bool = False
    """Use the tuned encoder even where the held-out rows do not speak for it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier and what its training reached."""

    classifier: IntentClassifier
    held_out: dict[str, float]
    """See `core.heads.fit.Fitted`; where tuning was tried, also what decided: `tuned_merit` against `plain_merit`."""
    seconds: float
    """Wall time, encoding included."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Labelled texts and what the frozen encoders say of them."""

    texts: list[str]
    classes: IntArray
    labels: tuple[str, ...]
    stranger: int | None
    anchors: IntArray | None
    frozen: list[FloatArray]
    encoders: tuple[Encoder, ...]

    def examples(self, tuned: Encoder | None = None) -> Examples:
        """All of them, in the order of the texts."""
        first = [tuned] if tuned is not None else []
        parts = [*(encoder.encode(self.texts) for encoder in first), *self.frozen]
        return Examples(
            rows=join(parts, tuned=tuned is not None),
            tokens=tokens(self.texts),
            classes=self.classes,
            labels=self.labels,
            stranger=self.stranger,
            anchors=self.anchors,
            readings=readings([*first, *self.encoders], self.texts) if len(self.texts) <= _MATCHED else None,
        )


def fit_intents(
    rows: Sequence[Labelled], encoders: Sequence[Encoder], *, plan: Plan | None = None, folder: Path | None = None
) -> Trained:
    """Fit a classifier on labelled messages.

    The name of a label, as in "card_arrival", counts as one more example of it: with five examples a label that is
    worth a point of accuracy or more. Texts that stand under two labels are kept under both.

    :param plan: how to tune an encoder first; None uses them as they are.
    :param folder: gets the files of the tuned encoder, if one is used; needed with a plan.
    :raises InputError: if fewer than two labels beside "oos" have examples.
    """
    start = time.perf_counter()
    table = _table(list(dict.fromkeys(rows)), encoders)
    plain = table.examples()
    used, tuned = fit_mixture(plain), None
    held_out = used.held_out
    if plan is not None and folder is not None:
        candidate = _tune(table, plain, plan, folder)
        if plan.always or candidate.merit > candidate.plain_merit:
            used, tuned = candidate.fitted, candidate.encoder
        held_out = {**used.held_out, "tuned_merit": candidate.merit, "plain_merit": candidate.plain_merit}
    everyone = [tuned, *encoders] if tuned is not None else list(encoders)
    classifier = IntentClassifier(everyone, used.mixture, used.gate, tuned=tuned is not None)
    return Trained(classifier, held_out, time.perf_counter() - start)


def _table(rows: Sequence[Labelled], encoders: Sequence[Encoder]) -> _Table:
    labels = sorted({row.label for row in rows} - {OUT_OF_SCOPE})
    if len(labels) < 2:
        raise InputError(f"An intent classifier needs at least two labels beside {OUT_OF_SCOPE!r}; found {labels}.")
    strange = any(row.label == OUT_OF_SCOPE for row in rows)
    every = (*labels, OUT_OF_SCOPE) if strange else tuple(labels)
    place = {label: i for i, label in enumerate(every)}
    named = [(spoken, place[label]) for label in labels if (spoken := spoken_label(label))]
    texts = [*(row.text for row in rows), *(text for text, _ in named)]
    return _Table(
        texts=texts,
        classes=np.array([*(place[row.label] for row in rows), *(c for _, c in named)], dtype=np.int64),
        labels=every,
        stranger=place[OUT_OF_SCOPE] if strange else None,
        anchors=np.arange(len(rows), len(texts)) if named else None,
        frozen=[encoder.encode(texts) for encoder in encoders],
        encoders=tuple(encoders),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    fitted: Fitted
    encoder: Encoder
    merit: float
    plain_merit: float


def _tune(table: _Table, plain: Examples, plan: Plan, folder: Path) -> _Candidate:
    """Tune, and compare with the plain encoders on rows that neither has seen."""
    movable, anchors = plain.movable, table.anchors if table.anchors is not None else np.empty(0, np.int64)
    fold = stratified(table.classes[movable], _FOLDS[plan.few])
    splits = [(movable[fold != f], movable[fold == f]) for f in range(2 if plan.few else 1)]
    parts: list[Part] = []
    plain_parts: list[Part] = []
    for rest, away in splits:
        encoder, examples = _with_encoder(table, plan, np.concatenate([anchors, rest]), folder)
        for seen, unseen in [(rest, away)] if plan.few else _strangers_in_turn(table, plain, rest, away):
            both = np.concatenate([anchors, seen]), unseen
            parts.append((examples.take(both[0]), examples.take(both[1])))
            plain_parts.append((plain.take(both[0]), plain.take(both[1])))
    if plan.few:
        encoder, examples = _with_encoder(table, plan, np.arange(len(table.texts)), folder)
    fitted = fit_mixture(examples, parts=parts)
    before = fit_mixture(plain, parts=plain_parts)
    return _Candidate(fitted, encoder, _merit(fitted, table.stranger), _merit(before, table.stranger))


def _strangers_in_turn(
    table: _Table, plain: Examples, rest: IntArray, away: IntArray
) -> list[tuple[IntArray, IntArray]]:
    """The split as it is, or in two: every message out of scope is then held out once, for a tenth is too few.

    The tuner never sees them, so that it makes no difference to the encoder which of them are held out. What is fitted
    on is sampled, as `fit_mixture` does when it holds out: this is done twice over, and takes its time.
    """
    if table.stranger is None:
        return [(rest, away)]
    strange = np.flatnonzero(table.classes == table.stranger)
    rest, away = (which[table.classes[which] != table.stranger] for which in (rest, away))
    rest = np.intersect1d(rest, plain.sample())
    place, half = np.arange(len(away)) % 2, np.arange(len(strange)) % 2
    return [
        (np.concatenate([rest, strange[half != h]]), np.concatenate([away[place == h], strange[half == h]]))
        for h in (0, 1)
    ]


def _with_encoder(table: _Table, plan: Plan, which: IntArray, folder: Path) -> tuple[Encoder, Examples]:
    """An encoder tuned on some of the texts, and all of them as it sees them."""
    known = which[table.classes[which] != table.stranger] if table.stranger is not None else which
    texts, k = [table.texts[i] for i in known], len(table.labels) - (table.stranger is not None)
    encoder = plan.tune(texts, table.classes[known], k, folder)
    return encoder, table.examples(encoder)


def _merit(fitted: Fitted, stranger: int | None) -> float:
    """What two classifiers are compared by: accuracy; with out-of-scope examples, its mean with their recall."""
    found = fitted.held_out
    return found["accuracy"] if stranger is None else (found["in_scope_accuracy"] + found["oos_recall"]) / 2


def spoken_label(label: str) -> str:
    """A label as words, "" where it has none.

    >>> spoken_label("Refund_not_showing_up?")
    'refund not showing up'
    >>> spoken_label("c-17")
    ''
    """
    kept = "".join(c if c.isalnum() else " " for c in label).lower().split()
    return " ".join(kept) if any(word.isalpha() and (len(word) > 2 or not word.isascii()) for word in kept) else ""
