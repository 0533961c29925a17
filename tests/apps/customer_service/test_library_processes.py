from __future__ import annotations

import threading
import time
from pathlib import Path

from apps.customer_service.library import Library
from tests.apps.customer_service._bot import FILES, Bot
from tests.apps.customer_service._library import consistent, found, page, shelves, write


def test_what_another_process_does_is_followed(tmp_path: Path) -> None:
    server, command = shelves(tmp_path), shelves(tmp_path)
    assert not server.refresh()
    folder = write(tmp_path / "kb", FILES)
    command.ingest([folder])
    assert server.refresh()
    assert not server.refresh()
    consistent(server)
    assert found(server, "early closure fee for Evergreen")[0] == "kb:fees.md"
    (folder / "fees.md").unlink()
    write(folder, {"gold.md": "# Gold\n\nGold is gone.\n"})
    command.ingest([folder], sync=True)
    assert server.refresh()
    consistent(server)
    assert "kb:fees.md" not in found(server, "early closure fee for Evergreen")


def test_a_change_between_two_of_ones_own_is_not_missed(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    one.put(page("lamps"))
    two.put(page("chairs"))  # before it has seen the lamps
    assert two.refresh()
    assert one.refresh()
    consistent(one)
    consistent(two)
    assert found(two, "lamps")[0] == "lamps"
    assert found(one, "chairs")[0] == "chairs"


def test_a_document_both_replaced_is_there_once(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    one.put(page("lamps"))
    two.refresh()
    one.put(page("lamps", "# lamps\n\nOne says so.\n"))
    two.put(page("lamps", "# lamps\n\nTwo says so.\n"))
    one.refresh()
    two.refresh()
    consistent(one)
    consistent(two)
    assert [p.text for p in one.knowledge.search("says", "en")] == [p.text for p in two.knowledge.search("says", "en")]


def test_an_ingest_while_others_write_and_follow_loses_nothing(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    folder = write(tmp_path / "kb", {f"{i}.md": f"# Page {i}\n\nThing number {i} is here.\n" for i in range(600)})
    errors: list[BaseException] = []
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            try:
                one.refresh()
                two.refresh()
            except BaseException as error:
                errors.append(error)
            time.sleep(0.01)

    def put() -> None:
        for i in range(20):
            two.put(page(f"put-{i}"))

    threads = [threading.Thread(target=follow), threading.Thread(target=put)]
    for thread in threads:
        thread.start()
    report = one.ingest([folder])
    threads[1].join()
    stop.set()
    threads[0].join()
    one.refresh()
    two.refresh()
    assert not errors
    assert report.count("added") == 600
    for library in (one, two):
        assert len(library.knowledge) == 620
        library.fill()
        consistent(library)


def test_searching_while_documents_come_and_go_never_fails(library: Library) -> None:
    for i in range(30):
        library.put(page(f"page-{i}"))
    errors: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                evidence = library.knowledge.evidence("What is the page-3 page about?", "en")
                assert evidence.passages
                assert evidence.bodies
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(3):
        for i in range(1, 30):
            library.remove(f"page-{i}")
        for i in range(1, 30):
            library.put(page(f"page-{i}", f"# page-{i}\n\nTurn {turn} of this page about page-{i}.\n"))
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors


def test_the_bot_shares_one_library(bot: Bot) -> None:
    consistent(bot.service.library)
