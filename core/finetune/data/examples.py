"""What a trainer learns from: labelled texts, tagged words, pairs, dialogues, plain texts.

Knows plain Python values; knows no file, no tokenizer, no torch. A row's line and group are where it came from, not
what it says: two rows that say the same have the same `content`, whatever their lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from core.errors import InputError
from core.text.dedup import fingerprint as text_fingerprint
from core.text.parse import Problem
from core.types import Message

T = TypeVar("T")


class Example(Protocol):
    """What every kind of row can say of itself."""

    @property
    def line(self) -> int:
        """Line of the file on which it began, from 1; the row's number in Parquet; 0 where there is no file."""
        ...

    @property
    def group(self) -> str | None:
        """What must stay together in a split (a customer, a document); None where nothing was given."""
        ...

    @property
    def body(self) -> str:
        """The text a model reads; rows with the same body repeat one another."""
        ...

    @property
    def answers(self) -> tuple[str, ...]:
        """What the model shall learn to say, sorted: "head=label", a tag, a score. Empty where the text is all."""
        ...

    @property
    def strata(self) -> tuple[str, ...]:
        """What a split keeps in proportion; the answers, as a rule."""
        ...

    @property
    def bundle(self) -> str:
        """Rows with the same bundle fall in the same half: the group, or the body where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The good rows of a file, and the bad ones with line and reason."""

    rows: tuple[T, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __getitem__(self, i: int) -> T:
        return self.rows[i]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, or two that are read together, and what is said of it under every head."""

    text: str
    labels: Mapping[str, tuple[str, ...]]
    """Labels by head: exactly one under a single-label head; none or more, sorted, under a multi-label head."""
    pair: str | None = None
    """The second text of a pair ("does this passage answer this question?")."""
    group: str | None = None
    line: int = 0

    def label(self, head: str = "label") -> str:
        """The label under a single-label head.

        :raises InputError: if the head is unknown or has not exactly one label here.
        """
        found = self.labels.get(head)
        if found is None or len(found) != 1:
            has = "no such head" if found is None else f"{len(found)} labels"
            raise InputError(f"line {self.line} has {has} under {head!r}; heads: {', '.join(self.labels) or 'none'}")
        return found[0]

    @property
    def body(self) -> str:
        """Text and pair."""
        return self.text if self.pair is None else f"{self.text}\n{self.pair}"

    @property
    def answers(self) -> tuple[str, ...]:
        """ "head=label" for all of them; "head=" where a head has none."""
        return tuple(sorted(f"{head}={label}" for head, found in self.labels.items() for label in found or ("",)))

    @property
    def strata(self) -> tuple[str, ...]:
        """The answers."""
        return self.answers

    @property
    def bundle(self) -> str:
        """Group or body."""
        return _bundle(self.group, self.body)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence's words, each with its tag."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    """As many as words: "B-PER", "I-PER", "O" for entities, or plain tags ("NOUN")."""
    group: str | None = None
    line: int = 0

    @property
    def body(self) -> str:
        """The words, a space between each."""
        return " ".join(self.words)

    @property
    def answers(self) -> tuple[str, ...]:
        """The tags in order of the words."""
        return self.tags

    @property
    def strata(self) -> tuple[str, ...]:
        """Kinds of entity in the sentence, or plain tags; empty where every tag is O."""
        return tuple(sorted({tag.removeprefix("B-").removeprefix("I-") for tag in self.tags if tag != "O"}))

    @property
    def bundle(self) -> str:
        """Group or body."""
        return _bundle(self.group, self.body)


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a passage that answers it, or, at score 0, does not."""

    query: str
    positive: str
    negatives: tuple[str, ...] = ()
    score: float | None = None
    """How well `positive` answers, in [0, 1]; None where the file only has pairs that belong together."""
    group: str | None = None
    line: int = 0

    @property
    def body(self) -> str:
        """Query and passage."""
        return f"{self.query}\n{self.positive}"

    @property
    def answers(self) -> tuple[str, ...]:
        """The score, where there is one."""
        return () if self.score is None else (f"{self.score:g}",)

    @property
    def strata(self) -> tuple[str, ...]:
        """ "high" from .5, "low" below; empty without a score."""
        return () if self.score is None else ("high" if self.score >= 0.5 else "low",)

    @property
    def bundle(self) -> str:
        """Group or query: one query never stands in both halves."""
        return _bundle(self.group, self.query)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns of a conversation: perhaps a system message, then user and assistant in turn, the assistant last."""

    messages: tuple[Message, ...]
    group: str | None = None
    line: int = 0

    @property
    def body(self) -> str:
        """Every turn with its role."""
        return "\n".join(f"{message.role}: {message.content}" for message in self.messages)

    @property
    def answers(self) -> tuple[str, ...]:
        """Nothing: two answers to one question are no conflict."""
        return ()

    @property
    def strata(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def bundle(self) -> str:
        """Group, or everything before the last answer."""
        return _bundle(self.group, "\n".join(message.content for message in self.messages[:-1]))


@dataclass(frozen=True, slots=True)
class Plain:
    """A text to learn the language from."""

    text: str
    line: int = 0
    group: str | None = None

    @property
    def body(self) -> str:
        """The text."""
        return self.text

    @property
    def answers(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def strata(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def bundle(self) -> str:
        """Group or text."""
        return _bundle(self.group, self.text)


def _bundle(group: str | None, body: str) -> str:
    return f"group:{group}" if group is not None else text_fingerprint(body)


def content(row: Example) -> str:
    """SHA-256 (64 hex digits) of all that the row says: not its line, not its group."""
    negatives = row.negatives if isinstance(row, Pair) else ()
    said = json.dumps([type(row).__name__, row.body, row.answers, negatives], ensure_ascii=False)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def fingerprint(rows: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) of what the rows say, whatever their order: the data's name on a model card."""
    return hashlib.sha256("".join(sorted(map(content, rows))).encode()).hexdigest()


def sequence(rows: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) of what the rows say, in this order: what a training hangs on, for batches are drawn by
    place.
    """
    return hashlib.sha256("".join(map(content, rows)).encode()).hexdigest()


def label_list(rows: Iterable[Labelled], head: str = "label") -> tuple[str, ...]:
    """The labels under a head, sorted."""
    return tuple(sorted({label for row in rows for label in row.labels.get(head, ())}))


def tag_list(rows: Iterable[Tagged]) -> tuple[str, ...]:
    """ "O" first if there is one, then the others sorted; wherever there is a B-x there is its I-x, and the reverse."""
    found = {tag for row in rows for tag in row.tags}
    found |= {f"{mark}-{tag[2:]}" for tag in found if tag[:2] in ("B-", "I-") for mark in "BI"}
    if any(tag[:2] == "B-" for tag in found):
        found.add("O")
    return tuple(sorted(found, key=lambda tag: (tag != "O", tag[2:] if tag[:2] in ("B-", "I-") else tag, tag)))
