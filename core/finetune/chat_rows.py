"""Dialogues to token rows: the chat template that serving uses, targets on what the assistant says.

Knows templates and a tokenizer; nothing of models. Every piece is tokenised by itself, prompt and answer, for that is
how serving meets them: the prompt is encoded, the answer is written token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.backends.chat import ChatTemplate
from core.errors import InputError
from core.finetune.causal import CausalRow, causal_row
from core.finetune.data.dialogues import check_turns
from core.finetune.data.examples import Dialogue
from core.finetune.losses import IGNORED
from core.types import Message


@dataclass(frozen=True, slots=True)
class ChatRows:
    """Rows, and what did not become one."""

    rows: tuple[CausalRow, ...]
    shortened: int
    """Dialogues that lost their oldest turns."""
    dropped: int
    """Dialogues whose last question and answer are too long for a row."""

    def notes(self, name: str, limit: int) -> tuple[str, ...]:
        """For people."""
        found = []
        if self.shortened:
            found.append(
                f"{self.shortened} {name} dialogues are longer than {limit} tokens and lost their oldest turns."
            )
        if self.dropped:
            found.append(
                f"{self.dropped} {name} dialogues were left out: the last question and answer alone are longer than "
                f"{limit} tokens. Raise max_tokens."
            )
        return tuple(found)


def chat_rows(
    dialogues: Sequence[Dialogue],
    template: ChatTemplate,
    tokenizer: Any,
    limit: int,
    *,
    learn: Literal["all", "last"] = "all",
    system: str = "",
) -> ChatRows:
    """A row for each dialogue.

    Too long ones lose their oldest turns, question and answer together, until they fit; the system's text stays, and
    the last answer is never cut. Where a template writes earlier answers otherwise than the last one (as some that
    drop past reasoning), every answer becomes a row of its own.

    :param limit: tokens of a row at most.
    :param learn: the assistant's every answer, or only the last.
    :param system: put before dialogues that have no system text; empty leaves that to the template.
    :raises InputError: if the turns of a dialogue are not [system] user assistant ... assistant; says which line.
    """
    rows: list[CausalRow] = []
    shortened = dropped = 0
    for number, dialogue in enumerate(dialogues, start=1):
        try:
            check_turns(dialogue.messages)
        except InputError as error:
            raise InputError(f"dialogue {dialogue.line or number}: {error}") from error
        messages = list(dialogue.messages)
        head = [messages.pop(0)] if messages[0].role == "system" else [Message("system", system)] if system else []
        found, lost = _fitting(head, messages, template, tokenizer, limit, learn)
        rows += found
        dropped += not found
        shortened += lost and bool(found)
    return ChatRows(tuple(rows), shortened, dropped)


def _fitting(
    head: list[Message], turns: list[Message], template: ChatTemplate, tokenizer: Any, limit: int, learn: str
) -> tuple[list[CausalRow], bool]:
    for start in range(0, len(turns), 2):
        rows = _rows([*head, *turns[start:]], template, tokenizer, learn)
        if all(len(row.ids) <= limit for row in rows):
            return rows, start > 0
    return [], True


def _rows(messages: list[Message], template: ChatTemplate, tokenizer: Any, learn: str) -> list[CausalRow]:
    places = [i for i, message in enumerate(messages) if message.role == "assistant"]
    pieces = _pieces(messages, places if learn == "all" else places[-1:], template)
    if pieces is not None:
        return [_row(pieces, tokenizer)]
    each = [_pieces(messages[: place + 1], [place], template) for place in places]
    return [_row(found, tokenizer) for found in each if found is not None]


def _pieces(messages: list[Message], places: Sequence[int], template: ChatTemplate) -> list[tuple[str, bool]] | None:
    """Runs of the rendered text and whether they are learned; None if an answer is not where its prompt ends."""
    whole = template.render(messages, add_generation_prompt=False)
    pieces: list[tuple[str, bool]] = []
    done = 0
    for place in places:
        prompt = template.render(messages[:place])
        told = template.render(messages[: place + 1], add_generation_prompt=False).rstrip()
        if not (whole.startswith(told) and told.startswith(prompt)):
            return None
        pieces += [(whole[done : len(prompt)], False), (told[len(prompt) :], True)]
        done = len(told)
    return pieces


def _row(pieces: Sequence[tuple[str, bool]], tokenizer: Any) -> CausalRow:
    ids: list[int] = []
    targets: list[int] = []
    for text, learned in pieces:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += found
        targets += found if learned else [IGNORED] * len(found)
    return causal_row(ids, targets)
