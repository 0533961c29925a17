from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, InputError
from core.finetune.data import Labelled, Policy
from core.finetune.flow.learn import RECORD, REPORT, Request, learn
from core.finetune.flow.rows import DataRequest, load_data
from core.finetune.flow.tasks import TASKS, Reading, find_task
from core.finetune.runs import Run
from tests.core.finetune.files import labelled_csv, pairs_jsonl, request, tagged_jsonl, texts_jsonl, write_csv


def test_a_file_becomes_a_measured_model_and_the_same_call_again_only_measures(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    asked = request(tiny_encoder, labelled_csv(tmp_path / "t.csv"), labelled_csv(tmp_path / "v.csv", 30, seed=9))
    run = Run(tmp_path / "runs" / "one")
    first = learn(asked, run, cache=tmp_path)
    assert first.trained and first.measured is not None and first.measured.figures["accuracy"] > 0.7
    assert {row.name for row in first.measured.tables()["label"].rows} == {"card", "pin", "transfer"}
    assert first.record["base"]["architecture"] == "encoder" and first.record["steps"] == 60
    told = json.loads((run.folder / REPORT).read_text(encoding="utf-8"))
    assert told["test_file"] is True and told["reports"]["label"]["macro"]["support"] == 30
    assert (run.folder / "reliability.png").is_file() and (run.folder / "curves.png").is_file()
    assert not (run.folder / "checkpoints").exists(), "a finished run keeps no checkpoints"
    before = (run.model / "heads.safetensors").stat().st_mtime_ns
    again = learn(asked, run, cache=tmp_path)
    assert not again.trained and (run.model / "heads.safetensors").stat().st_mtime_ns == before
    assert again.measured is not None and again.measured.figures == first.measured.figures


def test_other_options_under_the_same_name_are_a_conflict_until_a_restart_is_asked(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    file = labelled_csv(tmp_path / "t.csv")
    run = Run(tmp_path / "run")
    learn(request(tiny_encoder, file, max_steps=2), run, cache=tmp_path)
    other = request(tiny_encoder, file, max_steps=3)
    with pytest.raises(Conflict, match="max_steps"):
        learn(other, run, cache=tmp_path)
    assert learn(other, run, cache=tmp_path, restart=True).record["steps"] == 3


def test_the_same_rows_in_another_order_are_another_run_on_the_same_data(tiny_encoder: Path, tmp_path: Path) -> None:
    file = labelled_csv(tmp_path / "t.csv")
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([head, *reversed(lines)]) + "\n", encoding="utf-8")
    asked, other = request(tiny_encoder, file, max_steps=2), request(tiny_encoder, turned, max_steps=2)
    data, again = (load_data(each.task, each.data) for each in (asked, other))
    assert data.report.fingerprint == again.report.fingerprint
    run = Run(tmp_path / "run")
    learn(asked, run, cache=tmp_path, data=data)
    with pytest.raises(Conflict, match=r"data\.rows"):
        learn(other, run, cache=tmp_path, data=again)


def test_a_killed_run_goes_on_and_no_half_written_model_is_seen(tiny_encoder: Path, tmp_path: Path) -> None:
    asked = request(tiny_encoder, labelled_csv(tmp_path / "t.csv"), max_steps=6, checkpoint_every=2)
    run = Run(tmp_path / "run")

    def killed(stage: str, done: int, total: int | None, /) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(asked, run, cache=tmp_path, progress=killed)
    assert not run.done
    seen: list[int] = []
    learned = learn(asked, run, cache=tmp_path, progress=lambda stage, done, total: seen.append(done))
    assert learned.trained and seen[0] == 5, "it went on after the checkpoint of update 4"


def test_a_full_disk_while_saving_leaves_no_model_and_the_run_can_go_on(tiny_encoder: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.folder.mkdir()

    def write(folder: Path) -> None:
        (folder / "half.json").write_text("{", encoding="utf-8")
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            full.write("x" * 100_000)

    with pytest.raises(OSError, match="No space left"):
        run.finish(write)
    assert not run.done and not list(run.folder.glob("*half*"))


def test_rows_from_a_generator_are_made_once_and_trained_on(tiny_encoder: Path, tmp_path: Path) -> None:
    base = request(tiny_encoder, labelled_csv(tmp_path / "t.csv"), max_steps=2)
    asked = Request(base.task, base.data, base.args, augment=1)
    calls: list[int] = []

    def more(rows: Any) -> Any:
        calls.append(len(rows))
        return [Labelled(f"{row.text} hello", row.labels) for row in rows[:5]], {"kept": 5}

    with pytest.raises(InputError, match="generator"):
        learn(asked, Run(tmp_path / "run"), cache=tmp_path)
    learned = learn(asked, Run(tmp_path / "run"), cache=tmp_path, more=more)
    assert learned.record["rows"] == len(learned.data.rows) + 5 and calls == [len(learned.data.rows)]


def test_without_held_out_rows_nothing_is_measured(tiny_encoder: Path, tmp_path: Path) -> None:
    asked = request(tiny_encoder, labelled_csv(tmp_path / "t.csv"), held_out=0.0, max_steps=2)
    learned = learn(asked, Run(tmp_path / "run"), cache=tmp_path)
    assert learned.measured is None and json.loads((learned.model / RECORD).read_text(encoding="utf-8"))["steps"] == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["hello there", "a"], ["hello you", "a"], ["bye", "a"]], "one class only"),
        ([["", "a"], [" ", "b"]], "no good row"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_refused(rows: Any, message: str, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(InputError, match=message):
        load_data("classifier", DataRequest(file))


def test_what_the_policy_takes_out_is_counted(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"text {i}", "ab"[i % 2]] for i in range(20)]
    file = write_csv(tmp_path / "t.csv", ["text", "label"], [*rows, rows[0], ["", "a"]])
    test = write_csv(tmp_path / "v.csv", ["text", "label"], [["text 3", "b"], ["other", "c"], ["new", "a"]])
    data = load_data("classifier", DataRequest(file, test, policy=Policy(leaks="drop-train", unseen="drop")))
    assert sum(data.dropped.values()) >= 3 and [p.line for _, p in data.problems] == [23]
    assert data.own_test and len(data.test) == 2


@pytest.mark.parametrize("share", [-0.1, 0.95])
def test_a_share_that_is_none_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--held-out"):
        load_data("classifier", DataRequest(labelled_csv(tmp_path / "t.csv"), held_out=share))


def test_every_task_reads_its_own_rows(tmp_path: Path) -> None:
    how = Reading()
    assert len(find_task("embedder").read(labelled_csv(tmp_path / "l.csv"), how)) == 60
    assert len(find_task("embedder").read(pairs_jsonl(tmp_path / "p.jsonl"), how)) == 24
    assert len(find_task("reranker").read(tmp_path / "p.jsonl", how)) == 24
    assert len(find_task("tagger").read(tagged_jsonl(tmp_path / "w.jsonl"), how)) == 24
    assert len(find_task("pretrain").read(texts_jsonl(tmp_path / "x.jsonl"), how)) == 24
    with pytest.raises(InputError, match="classifier's"):
        find_task("tagger").read(tmp_path / "w.jsonl", Reading(pairs=True))
    with pytest.raises(InputError, match="no task 'classify'"):
        find_task("classify")
    assert list(TASKS) == ["classifier", "tagger", "embedder", "reranker", "chat", "pretrain"]
