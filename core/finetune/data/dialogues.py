"""Conversations to learn from: JSONL with messages, or tables of questions and answers.

Knows roles and their order; knows no chat template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.finetune.data import cells
from core.finetune.data.examples import Dialogue, Rows
from core.finetune.data.labelled import group_of
from core.finetune.data.tables import DataLimits, column, gather, optional, read_table
from core.text.table import Row
from core.types import Message, Role

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
}


def read_dialogues(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Rows[Dialogue]:
    """Conversations from JSONL, Parquet or CSV.

    Either `messages` (or `conversations`): a list of objects with `role` and `content` (or `from` and `value`). Or
    `question` and `answer`, and perhaps `system`. A system message may only come first; user and assistant take turns;
    the assistant has the last word, for that is what is learned.

    :param columns: what the columns are called in this file, as in `{"question": "instruction"}`.
    :raises UnknownColumn: if there is neither `messages` nor `question`.
    :raises InputError: if strict and a row is wrong, or none is right.
    :raises UnreadableDocument: if the file is missing, empty or damaged.
    """
    path, columns, limits = Path(path), columns or {}, limits or DataLimits()
    table = read_table(path, limits)
    most = limits.cell_characters
    group = optional(table, "group", columns, path.name)
    turns = optional(table, "messages", columns, path.name)
    if turns is None and not {"question", "answer"} & set(columns):
        turns = optional(table, "conversations", {}, path.name)
    if turns is not None:
        called = turns
        return gather(table, lambda row: _conversation(row, called, group, most), path.name, strict=strict)
    question = column(table, "question", columns, path.name)
    answer = column(table, "answer", columns, path.name)
    system = optional(table, "system", columns, path.name)

    def make(row: Row) -> Dialogue:
        messages = [
            Message("user", cells.text(row.cells, question, "question", most)),
            Message("assistant", cells.text(row.cells, answer, "answer", most)),
        ]
        if system is not None and not cells.is_empty(row.cells.get(system)):
            messages.insert(0, Message("system", cells.text(row.cells, system, "system", most)))
        return Dialogue(tuple(messages), group_of(row, group, most), row.line)

    return gather(table, make, path.name, strict=strict)


def check_turns(messages: Sequence[Message]) -> None:
    """:raises InputError: if the turns are not [system] user assistant user assistant ... assistant."""
    roles = [message.role for message in messages]
    if "system" in roles[1:]:
        raise InputError(f"turn {roles.index('system', 1) + 1} is the system's; it may only speak first")
    said = roles[1:] if roles[:1] == ["system"] else roles
    if not said:
        raise InputError("there is no turn of user and assistant")
    wrong = next((i for i, role in enumerate(said) if role != ("user", "assistant")[i % 2]), None)
    if wrong is not None:
        expected = ("user", "assistant")[wrong % 2]
        raise InputError(f"turn {wrong + 1 + len(roles) - len(said)} is the {said[wrong]}'s; the {expected}'s is due")
    if said[-1] != "assistant":
        raise InputError("the last turn is the user's; there is no answer to learn")


def _conversation(row: Row, column: str, group: str | None, most: int) -> Dialogue:
    value = row.cells.get(column)
    cells.check_size(value, "messages", most)
    turns = cells.texts(value, "messages", parted=True) if isinstance(value, str) else value
    if not isinstance(turns, list | tuple) or not turns:
        raise InputError(f"'messages' must be a list of turns, not {value!r:.60}")
    messages = tuple(_message(turn, i) for i, turn in enumerate(turns, start=1))
    check_turns(messages)
    return Dialogue(messages, group_of(row, group, most), row.line)


def _message(turn: Any, number: int) -> Message:
    if not isinstance(turn, Mapping):
        raise InputError(f"turn {number} is no object with role and content but {turn!r:.60}")
    role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    known = _ROLES.get(role.strip().lower()) if isinstance(role, str) else None
    if known is None:
        raise InputError(f"turn {number} has the role {role!r:.40}; known are system, user, assistant")
    text = "" if cells.is_empty(content) else cells.as_text(content, "content")
    if not text:
        raise InputError(f"turn {number} ({known}) is empty")
    return Message(known, text)
