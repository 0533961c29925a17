from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from apps.customer_service.store import Store
from apps.customer_service.tables import metadata
from core.errors import Conflict, InputError
from tests._postgres import database_url
from tests.apps.customer_service._store import CITED, entry, rows, said, store, vectors

__all__ = ["database_url", "store"]


def test_a_conversation_comes_back_with_its_citations_though_the_document_is_gone(store: Store) -> None:
    store.put_document(entry())
    conversation = store.create_conversation()
    question, reply = said("What is the fee?"), said("It is free. [1]", role="assistant", cites=CITED)
    assert store.append_messages(conversation.id, [question, reply]) == 0
    store.delete_document("fees")
    assert store.conversation(conversation.id).messages == (question, reply)
    assert store.conversation(conversation.id, last=1).messages == (reply,)
    assert store.append_messages(conversation.id, [said("Thanks")]) == 2


def test_a_conversation_id_is_taken_once(store: Store) -> None:
    assert store.create_conversation("mine").id == "mine"
    with pytest.raises(Conflict):
        store.create_conversation("mine")
    with pytest.raises(InputError, match="201"):
        store.create_conversation("x" * 201)


def test_writers_of_one_conversation_lose_nothing_and_share_no_ordinal(store: Store) -> None:
    key = store.create_conversation().id
    firsts: list[int] = []

    def talk(name: int) -> None:
        for turn in range(6):
            firsts.append(store.append_messages(key, [said(f"{name}.{turn}"), said("yes", role="assistant")]))

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages = store.conversation(key).messages
    assert sorted(firsts) == list(range(0, 72, 2)) and len(messages) == 72
    assert all(a.role == "user" and b.role == "assistant" for a, b in zip(messages[::2], messages[1::2], strict=True))


def test_two_ingests_at_once_both_arrive(store: Store) -> None:
    def put(name: str) -> None:
        for seed in range(5):
            store.put_documents([entry(name, seed=seed), entry("shared", seed=seed)])

    threads = [threading.Thread(target=put, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(store.hashes()) == {"a", "b", "c", "shared"} and store.revision() == 15
    assert len(store.chunk_ids()) == 12 == len(vectors(store))


def test_retention_deletes_what_was_last_used_too_long_ago(store: Store) -> None:
    old, fresh = store.create_conversation("old"), store.create_conversation("fresh")
    store.append_messages("old", [said("hi", cites=CITED)])
    between = datetime.now(UTC)
    time.sleep(0.01)
    store.append_messages("fresh", [said("hi")])
    assert [c.id for c in store.list_conversations()] == ["fresh", "old"]
    assert store.delete_conversations_before(between) == 1
    assert [c.id for c in store.list_conversations()] == [fresh.id]
    store.delete_conversation(fresh.id)
    with store.engine.connect() as connection:
        left = [
            connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in metadata.sorted_tables
        ]
    assert sum(left) == 1 and old.id == "old"  # the state row


def test_fifteen_hundred_passages_are_stored_fast(store: Store) -> None:
    entries = [
        replace(e, vectors={"minilm-int8": rows(3, 384), "use-m3": rows(3, 512)})
        for e in (entry(f"doc{i}") for i in range(500))
    ]
    began = time.perf_counter()
    store.put_documents(entries)
    assert time.perf_counter() - began < 5  # generous: .3 s alone on two cores
    assert len(store.chunk_ids()) == 1500


def test_what_was_acknowledged_is_there_when_the_store_opens_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with Store.open(url) as store:
        store.put_document(entry())
        store.create_conversation("c")
    with Store.open(url) as store:
        store.ping()
        assert store.hashes() == {"fees": "sha-fees-0"} and store.conversation("c").messages == ()


INGEST = """
import sys
import numpy as np
from apps.customer_service.store import Entry, Store
from core.types import Chunk, Document
store = Store.open(sys.argv[1])
for i in range(10_000):
    text = "passage " * 200
    chunks = [Chunk(f"d{i}", j, text, 0, len(text), 200, "en") for j in range(20)]
    document = Document(f"d{i}", "t", text, "s", "en", "h")
    store.put_document(Entry(document, chunks, {"e": np.ones((20, 384), np.float32)}))
    print(i, flush=True)
"""


def test_a_killed_ingest_loses_nothing_acknowledged_and_leaves_nothing_half(database_url: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", INGEST, database_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(10)]
    process.kill()
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    with Store.open(database_url) as store:
        there = store.hashes()
        assert {f"d{i}" for i in acknowledged} <= set(there)
        assert all(len(store.document_chunks(key)) == 20 for key in there)
        assert len(vectors(store, "e")) == 20 * len(there) == len(store.chunk_ids())
        assert store.revision() == len(there)
