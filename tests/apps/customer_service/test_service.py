from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from apps.customer_service.caretaker import Caretaker
from apps.customer_service.schemas import DocumentIn, Question
from apps.customer_service.tables import conversations
from core.errors import InputError, NotFound
from tests._postgres import database_url
from tests.apps.customer_service._bot import FILES, Backend, Bot, open_bot

__all__ = ["database_url"]

FEE = "What is the early closure fee for Evergreen?"


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def put(bot: Bot, **fields: Any) -> Any:
    id_ = fields.pop("at", None)
    return bot.run(bot.service.put_document(DocumentIn(**fields), id_))


# Conversations


def test_a_conversation_keeps_both_messages_and_rewrites_follow_ups(bot: Bot) -> None:
    conversation = bot.run(bot.service.new_conversation())
    bot.ask("What do Silver members pay?", conversation_id=conversation.id)
    answer = bot.ask("And for Gold?", conversation_id=conversation.id)
    assert answer.conversation_id == conversation.id
    assert "Gold" in answer.standalone_question
    assert "9 euros" in answer.text
    kept = bot.run(bot.service.get_conversation(conversation.id))
    assert [m.role for m in kept.messages] == ["user", "assistant"] * 2
    assert kept.messages[2].content == "And for Gold?"
    assert kept.messages[3].action == "quote"
    assert kept.messages[3].citations == answer.citations


def test_both_messages_are_stored_before_the_answer_is_acknowledged(bot: Bot) -> None:
    conversation = bot.run(bot.service.new_conversation())
    kept: list[int] = []

    async def work() -> None:
        async for delta in bot.service.stream(Question(text=FEE, conversation_id=conversation.id)):
            if delta.answer is not None:
                kept.append(len((await bot.service.get_conversation(conversation.id)).messages))

    bot.run(work())
    assert kept == [2]


def test_personal_data_is_blacked_out_before_it_is_stored(bot: Bot) -> None:
    conversation = bot.run(bot.service.new_conversation())
    said = f"{FEE} I am jane.doe@example.com, +44 7700 900123, card 4111 1111 1111 1111."
    bot.ask(said, conversation_id=conversation.id)
    kept = bot.run(bot.service.get_conversation(conversation.id)).messages[0].content
    assert FEE in kept
    for secret in ("jane.doe", "900123", "4111"):
        assert secret not in kept


def test_a_conversation_outlives_a_restart(tmp_path: Path) -> None:
    with open_bot(tmp_path) as bot:
        bot.ingest(bot.write(FILES))
        id_ = bot.run(bot.service.new_conversation()).id
        bot.ask("What do Silver members pay?", conversation_id=id_)
    with open_bot(tmp_path) as bot:
        assert "9 euros" in bot.ask("And for Gold?", conversation_id=id_).text
        bot.run(bot.service.delete_conversation(id_))
        with pytest.raises(NotFound):
            bot.ask(FEE, conversation_id=id_)


def test_an_unknown_conversation_is_an_error_before_anything_is_said(bot: Bot) -> None:
    with pytest.raises(NotFound, match="no conversation"):
        bot.stream(FEE, conversation_id="nosuch")


def test_an_answer_that_nobody_waits_for_is_not_stored(bot: Bot) -> None:
    conversation = bot.run(bot.service.new_conversation())

    async def work() -> None:
        deltas = bot.service.stream(Question(text=FEE, conversation_id=conversation.id))
        await anext(deltas)
        await deltas.aclose()

    bot.run(work())
    assert not bot.run(bot.service.get_conversation(conversation.id)).messages


def test_conversations_past_their_time_are_deleted_at_start(tmp_path: Path) -> None:
    with open_bot(tmp_path) as bot:
        old, new = (bot.run(bot.service.new_conversation()).id for _ in range(2))
        with bot.service.store.engine.begin() as connection:
            changed = {"updated_at": datetime.now(UTC) - timedelta(days=31)}
            connection.execute(conversations.update().where(conversations.c.id == old).values(changed))
    with open_bot(tmp_path) as bot:
        assert bot.run(bot.service.get_conversation(old))
    with open_bot(tmp_path, retention_days=30) as bot:
        assert bot.run(bot.service.get_conversation(new))
        with pytest.raises(NotFound):
            bot.run(bot.service.get_conversation(old))


# Documents


def test_documents_put_changed_and_deleted_show_in_the_next_answer(bot: Bot) -> None:
    question = "What does the Platinum card cost?"
    assert bot.ask(question).action == "decline"
    made = put(bot, title="Platinum card", text="The Platinum card costs 12 euros a year.")
    assert made.id == "platinum-card"
    assert "12 euros" in bot.ask(question).text
    put(bot, at=made.id, title="Platinum card", text="The Platinum card costs 15 euros a year.")
    assert "15 euros" in bot.ask(question).text
    bot.run(bot.service.delete_document(made.id))
    assert bot.ask(question).action == "decline"
    with pytest.raises(NotFound):
        bot.run(bot.service.get_document(made.id))


def test_two_documents_of_one_title_do_not_replace_each_other(bot: Bot) -> None:
    ids = [put(bot, title="FAQ", text=text).id for text in ("One thing.", "Another thing.", "One thing.")]
    assert ids == ["faq", "faq-2", "faq"]
    assert bot.run(bot.service.get_document("faq")).text == "One thing."


@pytest.mark.parametrize("id_", ["a\x00b", "a\nb", "a\x7fb"])
def test_an_id_that_no_address_can_hold_is_refused(bot: Bot, id_: str) -> None:
    with pytest.raises(InputError, match="control characters"):
        put(bot, id=id_, title="T", text="Text.")


def test_listing_finds_by_title_and_shows_no_text(bot: Bot) -> None:
    total, items = bot.run(bot.service.list_documents("membership", 10, 0))
    assert total == 2
    assert [item.title for item in items] == ["Gold membership", "Silver membership"]
    assert all(item.text is None and item.chunks == 1 for item in items)


def test_an_uploaded_file_is_searchable_when_the_upload_returns(bot: Bot) -> None:
    report = bot.run(bot.service.ingest_upload("platinum.md", b"# Prices\n\nThe Platinum card costs 12 euros.\n"))
    assert report.count("added") == 1
    assert report.passages == 1
    assert "12 euros" in bot.ask("What does the Platinum card cost?").text
    assert bot.service.library.lacking == 0
    again = bot.run(bot.service.ingest_upload("platinum.md", b"# Prices\n\nThe Platinum card costs 12 euros.\n"))
    assert again.count("unchanged") == 1


def test_an_uploaded_table_goes_in_at_once_with_its_bad_rows_listed(bot: Bot) -> None:
    rows = [f"Question {i}?,The answer number {i} is here." for i in range(2_000)]
    rows[5] = "Nothing?,"
    data = ("question,answer\n" + "\n".join(rows)).encode()
    began = time.perf_counter()
    report = bot.run(bot.service.ingest_upload("faq.csv", data))
    assert report.count("added") == 1_999
    assert [f.detail.split(":")[0] for f in report.files if f.status == "error"] == ["faq.csv line 7"]
    assert time.perf_counter() - began < 60  # one by one it would take minutes


# The whole


def test_the_main_flow_works_on_either_database(tmp_path: Path, database_url: str) -> None:
    with open_bot(tmp_path, database_url=database_url) as bot:
        folder = bot.write(FILES)
        assert bot.ingest(folder).count("added") == 5
        assert bot.ingest(folder).count("unchanged") == 5
        id_ = bot.run(bot.service.new_conversation()).id
        bot.check_citations(bot.ask("What do Silver members pay?", conversation_id=id_))
        put(bot, title="Platinum", text="The Platinum card costs 12 euros a year.")
        (folder / "gold.md").unlink()
        assert bot.ingest(folder, sync=True).count("removed") == 1
    with open_bot(tmp_path, database_url=database_url) as bot:
        assert "12 euros" in bot.ask("What does the Platinum card cost?").text
        assert bot.ask("How much do Gold members pay?").action == "decline"
        assert len(bot.run(bot.service.get_conversation(id_)).messages) == 2
        assert bot.service.ready()["database"] == "ok"


def test_what_another_process_ingests_is_answered_from_within_seconds(tmp_path: Path) -> None:
    with open_bot(tmp_path) as server, open_bot(tmp_path) as command:
        assert server.ask(FEE).verdict.reason == "no_passage"
        command.ingest(command.write(FILES))
        wait_for(lambda: server.ask(FEE).action == "quote")
        assert server.ask("台灯的保修期是多久？").action == "quote"


def test_vectors_that_lack_are_made_in_the_background(tmp_path: Path) -> None:
    with open_bot(tmp_path) as bot:
        bot.ingest(bot.write(FILES))
    from core.backends.fake import FakeEncoder

    with open_bot(tmp_path, Backend(english=FakeEncoder(16, name="new-en"))) as bot:
        assert bot.service.library.lacking == 4
        keeper = Caretaker(bot.service.library, follow=0.05, quiet=0.1)
        keeper.start()
        wait_for(lambda: bot.service.library.lacking == 0)
        keeper.close()


def test_a_database_that_goes_away_is_told_by_readiness(bot: Bot) -> None:
    assert bot.service.ready() == {"database": "ok", "index": "ok", "encoders": "ok"}
    with bot.service.store.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE customer_service_state"))
    wait_for(lambda: bot.service.ready()["index"] != "ok")


def test_many_ask_at_once(bot: Bot) -> None:
    async def work() -> list[str]:
        asked = [bot.service.answer(Question(text=FEE if i % 2 else "What do Silver members pay?")) for i in range(40)]
        return [answer.text for answer in await asyncio.gather(*asked)]

    assert len(set(bot.run(work()))) == 2


def test_embeddings_come_from_the_encoders_by_name(bot: Bot) -> None:
    assert bot.service.models() == ["fake-en", "fake-m3"]
    assert bot.run(bot.service.embed(["a", "b"], "fake-m3")).shape == (2, 32)
    assert bot.run(bot.service.count_tokens(["one two", "three"], "fake-en")) == 3
    with pytest.raises(NotFound, match="fake-en"):
        bot.run(bot.service.embed(["a"], "gpt"))
