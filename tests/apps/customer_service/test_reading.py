from __future__ import annotations

from pathlib import Path

import numpy as np

from apps.customer_service.data import RagQuestion
from apps.customer_service.model import Knowledge
from apps.customer_service.passages import fill
from apps.customer_service.reading import Gatherer, judged_row, ordered
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_reader import near_items
from core.backends.fake import FakeEncoder
from core.generate.reader import JUDGED, Reader
from core.generate.reader_features import NUMBERS
from core.heads.boosted import Boosted
from core.text import parse_text
from tests.apps.customer_service._bot import Backend, open_bot

CITIES = ("Oslo", "Bergen", "Turin", "Porto", "Ghent", "Lyon", "Graz", "Malmo", "Split", "Cork", "Bath", "York")


def made_knowledge() -> tuple[Knowledge, list[RagQuestion]]:
    """Twelve shops whose notes differ in their figures; half of what is asked is told."""
    documents, questions = [], []
    for i, city in enumerate(CITIES):
        opened = f"The {city} shop opened in {1990 + i}."
        staff = f"It has {10 + i} workers on the shop floor."
        text = f"{opened} {staff} The shop in {city} sells lamps and shades. Parking is behind the shop."
        documents.append(parse_text(text, id=city.lower(), title=f"{city} Shop Ltd."))
        for asked, span in ((f"When did the {city} shop open?", opened), (f"How many workers has {city} Shop?", staff)):
            questions.append(RagQuestion(asked, "", True, (city.lower(),), (span,)))
        for asked in (f"Who leads the {city} shop?", f"What was the revenue of the {city} shop?"):
            questions.append(RagQuestion(asked, "", False, (city.lower(),)))
    known = Knowledge(FakeEncoder(64, name="en"), None, CustomerServiceSettings())
    fill(documents, known)
    return known, questions


def by_cover() -> Reader:
    """Likes sentences that hold the question's words."""
    draw = np.random.default_rng(0)
    rows = draw.uniform(0, 1, (400, len(NUMBERS))).astype(np.float32)
    labels = (rows[:, NUMBERS.index("cover")] > 0.5).astype(np.int64)
    return Reader(Boosted.fit(rows, labels, trees=20, leaves=8))


def test_the_reader_orders_passages_and_keeps_their_sentences() -> None:
    known, _ = made_knowledge()
    gatherer = Gatherer(known)
    gathered = gatherer.gather("How many workers has Turin Shop?", "en")
    assert gathered.reading.parts == ("Turin Shop Ltd.",)
    assert len(gathered.rows) == len(gathered.places)
    scores = np.arange(len(gathered.rows), dtype=np.float32)
    last = gathered.reading.candidates[-1].passage
    evidence = ordered(gathered, scores, 3)
    assert evidence.passages[0] is last
    assert len(evidence.passages) == 3
    assert evidence.found[0].passage is last
    assert evidence.judged is not None
    assert evidence.judged.shape == (len(JUDGED),)
    assert np.array_equal(evidence.judged, judged_row(gathered, scores))
    assert np.isfinite(evidence.judged).all()


def test_without_a_reader_nothing_changes() -> None:
    known, _ = made_knowledge()
    mine = Gatherer(known).evidence("When did the Graz shop open?", "en", None)
    plain = known.evidence("When did the Graz shop open?", "en")
    assert [p.id for p in mine.passages] == [p.id for p in plain.passages]
    assert mine.judged is None


def test_an_empty_knowledge_can_be_read() -> None:
    empty = Knowledge(FakeEncoder(64, name="en"), None, CustomerServiceSettings())
    evidence = Gatherer(empty).evidence("Anything?", "en", by_cover())
    assert list(evidence.passages) == []
    assert evidence.judged is not None


def test_a_near_miss_has_its_evidence_taken_out_and_the_knowledge_stays_whole() -> None:
    known, questions = made_knowledge()
    before = {id_: held.chunk.text for id_, held in known.passages.items()}
    near = near_items(questions, Gatherer(known))
    assert len(near) == sum(q.answerable for q in questions)
    assert all(item.near and not item.answerable and not item.holds.any() for item in near)
    assert {id_: held.chunk.text for id_, held in known.passages.items()} == before
    assert len(near_items(questions, Gatherer(known))) == len(near)


def test_a_bot_with_a_reader_answers_and_cites(tmp_path: Path) -> None:
    backend = Backend()
    backend.readers = {"en": by_cover()}  # type: ignore[attr-defined]
    with open_bot(tmp_path, backend) as bot:
        bot.ingest(bot.write({"fees.md": "# Fees\n\nThe early closure fee is $50. There is no monthly fee.\n"}))
        answer = bot.ask("What is the early closure fee?")
        assert "$50" in answer.text
        bot.check_citations(answer)
        assert bot.ask("台灯的保修期是多久？").text
