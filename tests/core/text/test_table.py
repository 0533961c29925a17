from __future__ import annotations

import time

import pytest

from core.errors import InputError, UnknownColumn
from core.text.table import called_columns, read_csv, read_jsonl


def test_ten_thousand_rows_with_three_bad_ones_give_the_rest() -> None:
    lines = ["id,question,answer", *(f'{i},"Question {i}?","Yes, {i}"' for i in range(10_000))]
    lines[5_000], lines[7_000], lines[8_000] = '4999,broken,"x', "6999,a", "7999,a,b,c,d"
    started = time.perf_counter()
    table = read_csv("\n".join(lines), "faq.csv")
    assert len(table.rows) == 9_997
    assert [bad.line for bad in table.bad] == [5_001, 7_001, 8_001]
    assert "quote" in table.bad[0].reason
    assert table.bad[1].reason == "2 cells, but the header has 3"
    assert "5 cells" in table.bad[2].reason
    assert time.perf_counter() - started < 5


def test_cells_may_span_lines_and_the_line_is_the_first() -> None:
    table = read_csv('a,b\n1,"two\nlines, here"\n2,"q ""x"" y"\n', "t.csv")
    assert [(row.line, row.cells["b"]) for row in table.rows] == [(2, "two\nlines, here"), (4, 'q "x" y')]


def test_a_quote_inside_a_cell_is_a_quote() -> None:
    assert read_csv('size,text\n5" pipe,ok\n', "t.csv").rows[0].cells["size"] == '5" pipe'


def test_a_stray_quote_does_not_swallow_the_rows_behind_it() -> None:
    table = read_csv('a,b\n1,"stray\n2,x\n3,y\n4,z\n', "t.csv")
    assert [row.cells["a"] for row in table.rows] == ["2", "3", "4"]
    assert [bad.line for bad in table.bad] == [2]


def test_many_stray_quotes_take_no_quadratic_time() -> None:
    started = time.perf_counter()
    table = read_csv("a,b\n" + '"x,1\n' * 20_000, "t.csv")
    assert not table.rows and table.bad
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = read_csv(f"a{delimiter}b\n1{delimiter}2\n", "t.csv")
    assert table.columns == ("a", "b") and table.rows[0].cells == {"a": "1", "b": "2"}


def test_excels_own_hint_is_understood() -> None:
    assert read_csv("sep=;\na;b\n1,5;2\n", "t.csv").rows[0].cells == {"a": "1,5", "b": "2"}


def test_commas_in_the_only_column_are_text() -> None:
    assert read_csv("text\nhello, world\n", "t.csv").rows[0].cells == {"text": "hello, world"}


def test_old_mac_line_ends_and_odd_separators_inside_cells() -> None:
    assert [r.cells["b"] for r in read_csv("a,b\r1,x\r2,y\r", "t.csv").rows] == ["x", "y"]
    assert read_csv("a,b\n1,x\u2028y\n", "t.csv").rows[0].cells["b"] == "x\u2028y"


def test_a_header_is_needed_and_names_no_column_twice() -> None:
    with pytest.raises(InputError, match="first line must name the columns"):
        read_csv(" \n", "t.csv")
    with pytest.raises(InputError, match="'a' twice"):
        read_csv("a,a\n1,2\n", "t.csv")


def test_half_written_and_wrong_json_lines_are_reported_with_their_lines() -> None:
    table = read_jsonl('{"id": 1}\n\n[1]\n"x"\nnull\n{"id": 2, "te')
    assert [row.line for row in table.rows] == [1]
    assert [bad.line for bad in table.bad] == [3, 4, 5, 6]
    assert "half written" in table.bad[-1].reason and "list" in table.bad[0].reason


def test_deeply_nested_json_is_a_bad_row() -> None:
    assert read_jsonl("[" * 200_000).bad[0].line == 1


def test_a_missing_column_is_named_with_what_there_is() -> None:
    table = read_csv("Utterance,intent\nx,y\n", "t.csv")
    assert called_columns(table, ["text"], {"text": "utterance"}, "t.csv") == {"text": "Utterance"}
    with pytest.raises(UnknownColumn, match=r"t.csv has no column 'text'; it has Utterance, intent\. Map it"):
        called_columns(table, ["text"], {}, "t.csv")


def test_a_cell_over_the_limit_is_a_bad_row_even_where_the_delimiter_is_looked_for() -> None:
    huge = "x" * 10_000_001
    table = read_csv(f'a,b\n"{huge}",1\nok,2\n', "t.csv")
    assert [row.cells["a"] for row in table.rows] == ["ok"]
    assert "more than 10,000,000 characters (the row has 10,000,006)" in table.bad[0].reason
