"""The six tasks by name: what each reads, its options, how it trains, what its export is.

Knows names; a task's module, and torch with it, is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError, UnknownColumn
from core.finetune.args import TrainArgs
from core.finetune.data import (
    HeadColumn,
    Rows,
    read_dialogues,
    read_labelled,
    read_pairs,
    read_plain,
    read_tagged,
)
from core.models.task import TaskConfig
from core.progress import Report, quiet


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """What our names are called in the file, as in {"text": "question"}."""
    heads: tuple[HeadColumn, ...] = ()
    """Heads of a classifier; empty takes the columns `label` or `labels`."""
    pairs: bool = False
    """Whether a classifier's row is two texts, `text` and `pair`."""
    strict: bool = False
    """Refuse the file if one row is wrong."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of fine-tuning."""

    name: str
    options: str
    """Class of its options in `core.finetune.<name>`."""
    kind: str
    """Kind of its published artifact; empty where its result is a backbone to train on, not a thing to serve."""
    precision: str
    """Precision that is exported when none is asked for."""
    rows: str
    """Columns of a row, in words."""
    help: str

    @property
    def module(self) -> Any:
        """Its code; imports torch."""
        return importlib.import_module(f"core.finetune.{self.name}")

    @property
    def args(self) -> type[TrainArgs]:
        """Its options."""
        found: type[TrainArgs] = getattr(self.module, self.options)
        return found

    def read(self, path: Path, how: Reading) -> Rows[Any]:
        """Rows of a file.

        :raises UnknownColumn: if a column is missing.
        :raises InputError: if no row is right, or one is wrong and `how.strict` is set.
        """
        if self.name != "classifier" and (how.heads or how.pairs):
            raise InputError(f"Heads and pairs are a classifier's; {self.name} has none.")
        more: dict[str, Any] = {"columns": how.columns or None, "strict": how.strict}
        if self.name == "classifier":
            return read_labelled(path, heads=how.heads or None, pairs=how.pairs, **more)
        if self.name == "embedder":
            return _pairs_or_labelled(path, more)
        readers: dict[str, Any] = {
            "tagger": read_tagged,
            "reranker": read_pairs,
            "chat": read_dialogues,
            "pretrain": read_plain,
        }
        found: Rows[Any] = readers[self.name](path, **more)
        return found

    def fit(
        self,
        rows: Sequence[Any],
        held: Sequence[Any],
        args: TrainArgs,
        *,
        cache: Path,
        how: Reading | None = None,
        folder: Path | None = None,
        progress: Report = quiet,
    ) -> Any:
        """Train; the task's `Fitted`."""
        more: dict[str, Any] = {"heads": how.heads} if how is not None and how.heads else {}
        return self.module.fit(rows, held, args, cache=cache, folder=folder, progress=progress, **more)


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "classifier",
            "ClassifierArgs",
            "classifier",
            "int8",
            "text, label (or labels; pair where two texts are read together)",
            "One label a text, several, or several heads on one backbone.",
        ),
        Task("tagger", "TaggerArgs", "tagger", "int8", "words, tags (or text, spans)", "A tag for every word."),
        Task(
            "embedder",
            "EmbedderArgs",
            "encoder",
            "int8",
            "query, positive (or text, label)",
            "Vectors in which texts that belong together are near.",
        ),
        Task(
            "reranker",
            "RerankerArgs",
            "reranker",
            "int8",
            "query, passage, label (or query, positive, negatives)",
            "How well a passage answers a query, and whether it does at all.",
        ),
        Task("chat", "ChatArgs", "generator", "int4", "messages (or question, answer)", "Answers in your words."),
        Task("pretrain", "PretrainArgs", "", "", "text", "A backbone that knows your language, from plain text."),
    )
}
"""In the order of the help."""


def find_task(name: str) -> Task:
    """A task by its name.

    :raises InputError: if there is none of that name.
    """
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]


def task_of(folder: Path) -> Task:
    """The task of a trained folder."""
    return find_task(TaskConfig.load(folder).task)


def _pairs_or_labelled(path: Path, more: Mapping[str, Any]) -> Rows[Any]:
    try:
        return read_pairs(path, **more)
    except UnknownColumn as error:
        try:
            return read_labelled(path, **more)
        except UnknownColumn:
            raise error from None
