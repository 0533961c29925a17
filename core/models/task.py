"""What a fine-tuned model does: its task, its heads, their labels.

Knows `task.json`, which stands beside the weights of a trained folder and of its ONNX export; loads no weights.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import ArtifactDamaged

Task = Literal["classifier", "tagger", "embedder", "reranker", "chat", "pretrain"]
HeadKind = Literal["single", "multi", "token", "score"]
TextPooling = Literal["mean", "cls", "last"]
Architecture = Literal["encoder", "decoder"]

FILE_NAME = "task.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Head:
    """One question that the model answers of a text."""

    name: str
    """As in "sentiment"; the name of its output in the ONNX graph."""
    kind: HeadKind
    """ "single": one of the labels; "multi": any number of them; "token": one of them for every token; "score": how
    well a passage fits a query, one number."""
    labels: tuple[str, ...]
    """In the order of the logits; one, "score", where `kind` is "score"."""
    temperature: float = 1.0
    """Logits are divided by it before softmax or sigmoid; fitted on held-out rows."""
    thresholds: tuple[float, ...] | None = None
    """For "multi": the probability from which each label counts; None means 0.5."""
    shift: float = 0.0
    """For "score": added to the logit after the temperature (Platt's second number)."""


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Task, heads and limits of a fine-tuned model."""

    task: Task
    architecture: Architecture
    pooling: TextPooling
    """Which vector the heads see: the mean over real tokens, the first token's, or the last real token's."""
    max_tokens: int
    """Longer texts are cut to this many tokens, special ones included."""
    heads: tuple[Head, ...] = ()
    pairs: bool = False
    """Whether a row is two texts, as query and passage."""
    languages: tuple[str, ...] = ("en",)
    extra: dict[str, Any] = field(default_factory=dict)
    """What else belongs to the model: the base it was trained from, figures; JSON values only."""

    def head(self, name: str | None = None) -> Head:
        """The head of that name, or the only one.

        :raises KeyError: if there is none, or none was named and there are several.
        """
        for head in self.heads:
            if head.name == name or (name is None and len(self.heads) == 1):
                return head
        raise KeyError(f"no head {name!r}; there are {', '.join(h.name for h in self.heads) or 'none'}")

    def save(self, folder: Path) -> None:
        """Write `task.json` into a folder."""
        values = {"format": _FORMAT, **asdict(self)}
        (folder / FILE_NAME).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TaskConfig:
        """Read `task.json`.

        :raises ArtifactDamaged: if it is missing or not what this version writes.
        """
        path = folder / FILE_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") != _FORMAT or values["task"] not in get_args(Task):
                raise ValueError("another version wrote it")
            heads = tuple(_head(each) for each in values.pop("heads"))
            return cls(heads=heads, languages=tuple(values.pop("languages")), **values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactDamaged(
                f"{path} is not a readable task description ({error}); train or publish the model again."
            ) from error


def _head(values: dict[str, Any]) -> Head:
    thresholds = values.pop("thresholds", None)
    return Head(
        labels=tuple(values.pop("labels")), thresholds=None if thresholds is None else tuple(thresholds), **values
    )
