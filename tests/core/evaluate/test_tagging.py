from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval import metrics
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, IOBES, Entities

from core.errors import InputError
from core.evaluate.classification import LabelReport
from core.evaluate.tagging import Span, entity_spans, tagging_report

TYPES = ("PER", "LOC", "ORG")
BIO = st.sampled_from(["O", *(f"{mark}-{kind}" for mark in "BI" for kind in TYPES)])
BIOES = st.sampled_from(["O", *(f"{mark}-{kind}" for mark in "BIES" for kind in TYPES)])


def pairs(tags: Any) -> Any:
    """Sentences with two taggings each."""
    return st.lists(st.lists(st.tuples(tags, tags), min_size=1, max_size=12), min_size=1, max_size=4)


def parted(sentences: list[list[tuple[str, str]]]) -> tuple[list[list[str]], list[list[str]]]:
    return [[ours for ours, _ in row] for row in sentences], [[true for _, true in row] for row in sentences]


def check(report: LabelReport, predicted: list[list[str]], labels: list[list[str]], **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval asks numpy for means of nothing
        theirs = metrics.classification_report(labels, predicted, output_dict=True, zero_division=0, **options)
    for row in (*report.rows, report.micro, report.macro, report.weighted):
        if row.name not in TYPES:
            name = f"{row.name} avg"
        elif row.name in theirs:
            name = row.name
        else:
            continue
        if row.name in {"macro", "weighted"} and not report.micro.support:
            continue
        found = theirs[name]
        assert row.precision == pytest.approx(found["precision"]), row
        assert row.recall == pytest.approx(found["recall"]), row
        assert row.f1 == pytest.approx(found["f1-score"]), row
        assert row.support == found["support"], row


@given(st.lists(BIOES, max_size=20))
def test_any_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    assert [(span.type, span.start, span.end - 1) for span in entity_spans(tags)] == get_entities(tags)


@given(st.lists(BIO, min_size=1, max_size=20))
def test_strict_bio_is_seqevals(tags: list[str]) -> None:
    theirs = [entity.to_tuple()[1:] for entity in Entities([tags], IOB2).entities[0]]
    assert [(span.type, span.start, span.end) for span in entity_spans(tags, "bio")] == theirs


@given(st.lists(BIOES, min_size=1, max_size=20))
def test_strict_bioes_is_seqevals(tags: list[str]) -> None:
    theirs = [entity.to_tuple()[1:] for entity in Entities([tags], IOBES).entities[0]]
    assert [(span.type, span.start, span.end) for span in entity_spans(tags, "bioes")] == theirs


@given(pairs(BIO))
def test_entity_figures_are_seqevals(sentences: list[list[tuple[str, str]]]) -> None:
    predicted, labels = parted(sentences)
    report = tagging_report(predicted, labels).entities
    if report.rows:
        check(report, predicted, labels)


@given(pairs(BIOES))
def test_strict_entity_figures_are_seqevals(sentences: list[list[tuple[str, str]]]) -> None:
    predicted, labels = parted(sentences)
    report = tagging_report(predicted, labels, "bioes").entities
    if report.micro.support and any(entity_spans(tags, "bioes") for tags in predicted):
        check(report, predicted, labels, mode="strict", scheme=IOBES)


def test_io_bare_types_and_other_marks_are_understood() -> None:
    assert entity_spans(["PER", "PER", "O", "LOC"]) == [Span(0, 2, "PER"), Span(3, 4, "LOC")]
    assert entity_spans(["I-PER", "I-LOC"]) == [Span(0, 1, "PER"), Span(1, 2, "LOC")]
    assert entity_spans(["U-PER", "B-LOC", "L-LOC"], "bioes") == [Span(0, 1, "PER"), Span(1, 3, "LOC")]
    assert entity_spans(["B-地名", "M-地名", "E-地名"], "bioes") == [Span(0, 3, "地名")]
    assert entity_spans([]) == []


def test_a_wrong_boundary_is_a_wrong_entity_but_mostly_right_tokens() -> None:
    labels = [["B-PER", "I-PER", "O", "O"]]
    predicted = [["B-PER", "O", "O", "O"]]
    report = tagging_report(predicted, labels)
    assert report.entities.micro.f1 == 0.0
    assert report.tokens.accuracy == 0.75
    assert [row.name for row in report.tokens.rows] == ["B-PER", "I-PER", "O"]
    assert report.tokens.micro.precision == 1.0
    assert report.tokens.micro.recall == 0.5
    assert report.tokens.macro.f1 == 0.5
    assert report.as_dict()["tokens"]["classes"]["O"]["recall"] == 1.0


def test_a_text_without_entities_has_no_entity_rows() -> None:
    report = tagging_report([["O"]], [["O"]])
    assert report.entities.rows == ()
    assert report.entities.macro.f1 == report.tokens.weighted.f1 == 0.0
    assert report.tokens.accuracy == 1.0


@pytest.mark.parametrize(
    ("predicted", "labels", "said"),
    [
        ([], [], "0 tokens"),
        ([["O"]], [], "1 tagged sentences for 0"),
        ([["O"], ["O"]], [["O"], ["O", "O"]], "sentence 1 has 1 predicted and 2 true"),
        ([[""]], [["O"]], "a tag is empty"),
    ],
)
def test_wrong_tables_are_refused(predicted: list[list[str]], labels: list[list[str]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tagging_report(predicted, labels)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(InputError, match="'iob7'"):
        entity_spans(["O"], "iob7")  # type: ignore[arg-type]
