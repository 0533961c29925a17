from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError, TooLarge, UnreadableDocument
from core.text.table import Row, parquet_records, read_parquet


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


def test_rows_of_a_parquet_file_are_numbered_from_one(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"text": ["a", None], "labels": [["x"], []]})
    table = read_parquet(path, "t.parquet")
    assert table.columns == ("text", "labels")
    assert table.rows == (Row(1, {"text": "a", "labels": ["x"]}), Row(2, {"text": None, "labels": []}))


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"text": ["a" * 1000] * 50})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableDocument, match=r"t.parquet is no whole Parquet file"):
        read_parquet(path, "t.parquet")
    with pytest.raises(UnreadableDocument, match="does not exist"):
        read_parquet(tmp_path / "none.parquet", "none.parquet")
    with pytest.raises(UnreadableDocument):
        read_parquet(tmp_path, "folder.parquet")


def test_the_size_is_checked_before_rows_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"text": [f"{i} {'a' * 50}" for i in range(1_000)]})
    with pytest.raises(TooLarge, match="unpacks to"):
        read_parquet(path, "t.parquet", file_bytes=1_000)


def test_a_column_that_comes_twice_is_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), path)
    with pytest.raises(InputError, match="names the column 'text' twice"):
        list(parquet_records(path, "t.parquet"))


def test_without_pyarrow_the_message_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\nfrom core.errors import Unavailable\nfrom core.text.table import read_parquet\n"
        "try: read_parquet(Path('x.parquet'), 'x.parquet')\n"
        "except Unavailable as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "x.parquet is Parquet, which needs pyarrow: pip install 'triptych[parquet]'.\n"
