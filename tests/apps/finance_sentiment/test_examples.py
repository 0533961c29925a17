from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.finance_sentiment.examples import FILES, read_samples, read_sentiment, read_topics
from apps.finance_sentiment.schemas import SENTIMENTS
from apps.finance_sentiment.topics import TOPICS
from core.errors import InputError, UnknownColumn


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_sentiments_are_read_under_the_names_people_give_them(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\nup it goes,Bullish\nmeeting,NEU\n业绩暴雷,利空\n")
    assert [row.labels for row in read_sentiment(path)] == [("positive",), ("neutral",), ("negative",)]


def test_numbers_need_a_mapping_and_a_row_without_one_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\nfell,0\nrose,2\nheld,neutral\n")
    found = read_sentiment(path)
    assert [row.text for row in found] == ["held"]
    assert [problem.line for problem in found.problems] == [2, 3]
    assert "--label 0=negative" in found.problems[0].reason
    mapped = read_sentiment(path, mapping={"0": "negative", "2": "positive"})
    assert [row.labels[0] for row in mapped] == ["negative", "positive", "neutral"]


def test_a_mapping_to_no_sentiment_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\nfell,0\n")
    with pytest.raises(InputError, match="'0' is mapped to 'sad'"):
        read_sentiment(path, mapping={"0": "sad"})


def test_strict_refuses_a_file_with_one_wrong_row(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\nfell,negative\n,positive\nrose,up\n")
    with pytest.raises(InputError, match="line 3"):
        read_sentiment(path, strict=True)
    with pytest.raises(InputError, match="no sentiment"):
        read_sentiment(write(tmp_path, "b.csv", "text,label\nrose,up\nfell,negative\n"), strict=True)


def test_a_file_without_a_good_row_or_a_column_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no good row"):
        read_sentiment(write(tmp_path, "a.csv", "text,label\nrose,up\n"))
    with pytest.raises(UnknownColumn, match="label"):
        read_sentiment(write(tmp_path, "b.csv", "text,mood\nrose,positive\n"))


def test_columns_under_other_names(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"headline": "rose", "mood": "positive"}\n')
    assert read_sentiment(path, columns={"text": "headline", "label": "mood"})[0].text == "rose"


def test_topics_may_be_several_or_none_and_are_whatever_the_desk_calls_them(tmp_path: Path) -> None:
    rows = [{"text": "a", "labels": ["新冠", "中国"]}, {"text": "b", "labels": []}, {"text": "c", "labels": "x;y"}]
    path = write(tmp_path, "a.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n{broken\n")
    found = read_topics(path)
    assert [row.labels for row in found] == [("中国", "新冠"), (), ("x", "y")]
    assert [problem.line for problem in found.problems] == [4]


@pytest.mark.parametrize("language", FILES)
def test_the_shipped_samples_follow_the_guideline(language: str) -> None:
    found = read_samples(language)
    assert len(found) >= (1_500 if language == "en" else 600)
    assert {sample.sentiment for sample in found} == set(SENTIMENTS)
    assert {topic for sample in found for topic in sample.topics} == set(TOPICS)
    assert len({sample.text for sample in found}) == len(found)
