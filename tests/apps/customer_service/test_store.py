from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from apps.customer_service.rows import Entry
from apps.customer_service.store import Store
from apps.customer_service.tables import metadata
from core.errors import Conflict, InputError, NotFound
from core.types import Chunk, Document, Section
from tests._postgres import database_url
from tests.apps.customer_service._store import entry, rows, said, store, vectors

__all__ = ["database_url", "store"]


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
