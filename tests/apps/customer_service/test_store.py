from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from apps.customer_service.rows import Entry
from apps.customer_service.schemas import Action, Citation, StoredMessage
from apps.customer_service.store import Store
from apps.customer_service.tables import metadata
from core.errors import Conflict, InputError, NotFound
from core.types import Chunk, Document, FloatArray, Section
from tests._postgres import database_url

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


def rows(n: int, d: int = 8, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def entry(name: str = "fees", *, chunks: int = 3, title: str = "Account fees", seed: int = 0) -> Entry:
    text = "".join(f"Sentence {i} of {name}. " for i in range(max(chunks, 1)))
    document = Document(
        id=name,
        title=title,
        text=text,
        source=f"kb/{name}.md",
        language="en",
        sha256=f"sha-{name}-{seed}",
        sections=(Section(("Fees", "Monthly"), 0, len(text), 2),),
        metadata={"team": "retail"},
    )
    passages = []
    start = 0
    for i in range(chunks):
        end = text.index(". ", start) + 2
        passages.append(
            Chunk(name, i, text[start:end], start, end, 6, "en", title=title, headings=("Fees",), page=i + 1)
        )
        start = end
    return Entry(document, passages, {"minilm-int8": rows(chunks, seed=seed)})


def vectors(store: Store, encoder: str = "minilm-int8", **options: int) -> dict[int, FloatArray]:
    return {
        int(i): row for ids, block in store.iter_vectors(encoder, **options) for i, row in zip(ids, block, strict=True)
    }


def said(text: str, *, role: str = "user", cites: Citation | None = None) -> StoredMessage:
    return StoredMessage.model_validate(
        {
            "role": role,
            "content": text,
            "action": Action.quote if cites else None,
            "citations": (cites,) if cites else (),
            "created_at": datetime.now(UTC),
        }
    )


CITED = Citation(
    index=1, document_id="fees", chunk_id=7, title="Account fees", headings=("Fees",), source="kb/fees.md",
    quote="It is free.", start=10, end=21,
)  # fmt: skip


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    def mine(obj: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or str(name).startswith("customer_service_")

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_object": mine})
        assert compare_metadata(context, metadata) == []


def test_a_document_comes_back_as_it_was_put(store: Store) -> None:
    given = entry()
    change = store.put_document(given)
    assert store.get_document("fees") == given.document
    stored = store.chunks(change.added)
    assert [s.chunk for s in stored] == list(given.chunks)
    assert {s.source for s in stored} == {"kb/fees.md"}
    assert store.document_chunks("fees") == stored
    assert [given.document.text[s.chunk.start : s.chunk.end] for s in stored] == [s.chunk.text for s in stored]
    back = vectors(store)
    assert np.array_equal(np.stack([back[i] for i in change.added.tolist()]), given.vectors["minilm-int8"])


def test_a_document_put_again_replaces_the_old_one_whole_and_its_ids_never_come_back(store: Store) -> None:
    first = store.put_document(entry(chunks=3))
    second = store.put_document(entry(chunks=2, seed=1))
    assert second.removed.tolist() == first.added.tolist()
    assert not set(second.added.tolist()) & set(first.added.tolist())
    assert store.chunk_ids().tolist() == second.added.tolist() == sorted(vectors(store))
    store.delete_document("fees")
    assert store.put_document(entry()).added.min() > second.added.max()


def test_every_change_raises_the_revision_and_reading_does_not(store: Store) -> None:
    seen = [store.revision()]
    seen.append(store.put_document(entry()).revision)
    seen.append(store.put_vectors("use-m3", store.chunk_ids(), rows(3)))
    seen.append(store.delete_document("fees").revision)
    store.list_documents()
    assert seen == [0, 1, 2, 3] and store.revision() == 3


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    store.put_document(entry("a"))
    clash = entry("b")
    twice = replace(clash, chunks=[clash.chunks[0], clash.chunks[0]], vectors={})
    with pytest.raises(Conflict):
        store.put_documents([entry("a", seed=5), twice])
    assert store.hashes() == {"a": "sha-a-0"} and store.revision() == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda e: replace(e, vectors={"m": rows(2)}), r"\(2, 8\).*need \(3, d\)"),
        (lambda e: replace(e, vectors={"m": rows(3) * np.float32("nan")}), "finite"),
        (lambda e: replace(e, chunks=entry("other").chunks, vectors={}), "'other'"),
        (lambda e: replace(e, document=replace(e.document, id="x" * 201), chunks=[], vectors={}), "201 characters"),
        (lambda e: replace(e, document=replace(e.document, id=""), chunks=[], vectors={}), "0 characters"),
    ],
)
def test_parts_that_do_not_fit_are_refused(store: Store, wrong: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.put_document(wrong(entry()))  # type: ignore[operator]
    assert store.hashes() == {}


def test_an_id_that_comes_twice_in_a_batch_is_named(store: Store) -> None:
    with pytest.raises(InputError, match="fees"):
        store.put_documents([entry(), entry()])


def test_characters_no_database_keeps_are_replaced_one_for_one(store: Store) -> None:
    document = Document("d", "a\x00b", "x\x00y\ud800z", "s\x00", "en", "h", (Section(("h\x00",), 0, 5),), {"k": "\x00"})
    store.put_document(Entry(document, [Chunk("d", 0, "x\x00y\ud800z", 0, 5, 1, "en", headings=("h\x00",))]))
    back = store.get_document("d")
    assert back.text == "x\ufffdy\ufffdz" and back.title == "a\ufffdb"
    assert store.document_chunks("d")[0].chunk.text == back.text[0:5]


def test_chunks_keep_the_order_asked_for_and_skip_what_is_gone(store: Store) -> None:
    ids = store.put_documents([entry("a"), entry("b")]).added.tolist()
    store.delete_document("a")
    assert [s.id for s in store.chunks([ids[5], ids[0], ids[3], 10**12])] == [ids[5], ids[3]]
    assert store.chunks([]) == []


def test_more_ids_than_one_statement_takes_are_fine(store: Store) -> None:
    ids = store.put_document(entry(chunks=1200)).added
    assert [s.id for s in store.chunks(ids[::-1])] == ids[::-1].tolist()
    assert store.delete_documents(["fees", "nobody"]).removed.tolist() == ids.tolist()


def test_blocks_come_in_order_and_can_begin_after_an_id(store: Store) -> None:
    ids = store.put_documents([entry("a"), entry("b", seed=2)]).added.tolist()
    blocks = [part.tolist() for part, _ in store.iter_vectors("minilm-int8", block=4)]
    assert blocks == [ids[:4], ids[4:]]
    assert [[s.id for s in block] for block in store.iter_chunks(after=ids[1], block=3)] == [ids[2:5], ids[5:]]
    assert sorted(vectors(store, after=ids[3])) == ids[4:]
    assert list(store.iter_vectors("unknown")) == []


def test_a_new_encoder_fills_in_what_it_lacks(store: Store) -> None:
    ids = store.put_documents([entry("a"), entry("b")]).added
    lacking = [s.id for block in store.iter_without_vectors("use-m3", block=4) for s in block]
    assert lacking == ids.tolist()
    store.put_vectors("use-m3", ids[:4], rows(4, d=16))
    assert [s.id for block in store.iter_without_vectors("use-m3") for s in block] == ids[4:].tolist()
    store.put_vectors("use-m3", np.append(ids[4:], 999), rows(3, d=16, seed=1))
    assert sorted(vectors(store, "use-m3")) == ids.tolist()
    store.put_vectors("use-m3", ids[:1], rows(1, d=16, seed=9))
    assert np.array_equal(vectors(store, "use-m3")[int(ids[0])], rows(1, d=16, seed=9)[0])
    with pytest.raises(InputError, match="use-m3"):
        store.put_vectors("use-m3", ids, rows(2))


def test_documents_are_found_by_title_and_source_in_any_case(store: Store) -> None:
    store.put_documents(
        [entry("a", title="Überweisung 100%"), entry("b", title="Cards"), entry("c", title="银行卡 费用"), entry("d")]
    )
    assert [d.id for d in store.list_documents().documents] == ["d", "b", "a", "c"]
    assert [d.id for d in store.list_documents("über").documents] == ["a"]
    assert [d.id for d in store.list_documents("ÜBER kb/A.MD").documents] == ["a"]
    assert [d.id for d in store.list_documents("费用").documents] == ["c"]
    assert [d.id for d in store.list_documents("100%").documents] == ["a"]
    assert store.list_documents("_").total == 0
    page = store.list_documents(limit=2, offset=3)
    assert [d.id for d in page.documents] == ["c"] and page.total == 4
    assert page.documents[0].chunks == 3 and page.documents[0].text is None
    with pytest.raises(InputError, match="-1"):
        store.list_documents(offset=-1)


def test_hashes_and_sources_are_told_by_id(store: Store) -> None:
    store.put_documents([entry("a"), entry("b")])
    assert store.hashes() == {"a": "sha-a-0", "b": "sha-b-0"}
    assert store.sources() == {"a": "kb/a.md", "b": "kb/b.md"}


def test_a_described_document_counts_its_passages_and_knows_when_it_changed(store: Store) -> None:
    store.put_document(entry())
    shown = store.describe_document("fees")
    assert shown.chunks == 3 and shown.text == entry().document.text
    assert abs(datetime.now(UTC) - shown.updated_at) < timedelta(minutes=1)
    assert store.describe_document("fees", with_text=False).text is None


def test_what_is_not_there_is_not_found(store: Store) -> None:
    for ask in (
        lambda: store.get_document("x"),
        lambda: store.describe_document("x"),
        lambda: store.delete_document("x"),
        lambda: store.conversation("x"),
        lambda: store.delete_conversation("x"),
        lambda: store.append_messages("x", [said("hello")]),
    ):
        with pytest.raises(NotFound, match="'x'"):
            ask()
    assert store.revision() == 0


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
