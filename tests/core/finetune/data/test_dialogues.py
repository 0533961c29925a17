from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import InputError, UnknownColumn
from core.finetune.data import read_dialogues


def turns(*roles: str) -> dict[str, object]:
    return {"messages": [{"role": role, "content": f"says {i}"} for i, role in enumerate(roles)]}


def test_messages_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(turns("system", "user", "assistant", "user", "assistant")))
    (dialogue,) = read_dialogues(path)
    assert [message.role for message in dialogue.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert dialogue.messages[-1].content == "says 4"


def test_questions_with_answers_are_dialogues_of_two_turns(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("instruction,answer,system\nHi?,Hello.,Be kind.\nBye?,Bye.,\n")
    first, second = read_dialogues(path, columns={"question": "instruction"})
    assert [message.content for message in first.messages] == ["Be kind.", "Hi?", "Hello."]
    assert [message.role for message in second.messages] == ["user", "assistant"]


def test_conversations_with_from_and_value_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(
        json.dumps({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]})
    )
    assert [message.role for message in read_dialogues(path)[0].messages] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (turns("user"), "the last turn is the user's"),
        (turns("user", "assistant", "user"), "the last turn is the user's"),
        (turns("assistant"), "turn 1 is the assistant's; the user's is due"),
        (turns("system", "user", "user", "assistant"), "turn 3 is the user's; the assistant's is due"),
        (turns("user", "system", "assistant"), "turn 2 is the system's; it may only speak first"),
        (turns("system"), "no turn of user and assistant"),
        (turns("user", "robot"), "turn 2 has the role 'robot'; known are system, user, assistant"),
        ({"messages": []}, "must be a list of turns"),
        ({"messages": ["hi"]}, "turn 1 is no object"),
        ({"messages": [{"role": "user", "content": " "}]}, "turn 1 (user) is empty"),
    ],
)
def test_turns_out_of_order_are_wrong_rows(tmp_path: Path, row: object, reason: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(f"{json.dumps(turns('user', 'assistant'))}\n{json.dumps(row)}")
    read = read_dialogues(path)
    assert len(read) == 1 and reason in read.problems[0].reason
    with pytest.raises(InputError, match=r"d\.jsonl line 2"):
        read_dialogues(path, strict=True)


def test_a_table_with_neither_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UnknownColumn, match="'question'"):
        read_dialogues(path)
