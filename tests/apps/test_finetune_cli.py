from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.__main__ import main
from tests.core.finetune.conftest import tiny_decoder, tiny_encoder  # noqa: F401 fixtures
from tests.core.finetune.files import chats_jsonl, labelled_csv, pairs_jsonl, tagged_jsonl, texts_jsonl, write_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def encoder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("tiny_encoder")
    return found


def words(task: str, backbone: Path, train: Path, *more: str, steps: int = 2) -> list[str]:
    options = {"backbone": backbone, "max_steps": steps, "batch_size": 8, "threads": 1, "device": "cpu"}
    options |= {"precision": "fp32", "track": []}
    sets = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    return ["finetune", task, "--train", str(train), *sets, *more]


def last_line(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_csv_becomes_a_published_model_that_answers(
    encoder: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.backends import load_heads
    from core.settings import CoreSettings

    call = words("classifier", encoder, labelled_csv(tmp_path / "t.csv"), "--set", "learning_rate=3e-3", steps=60)
    call += ["--test", str(labelled_csv(tmp_path / "v.csv", 30, seed=5)), "--held-out", "0.2"]
    assert main(call) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out.splitlines()[-1])
    assert told["trained"] is True and told["figures"]["accuracy"] > 0.9 and "published" not in told
    assert "transfer" in captured.out and "--publish NAME" in captured.err
    assert main([*call, "--publish", "topics", "--json"]) == 0
    out = capsys.readouterr().out
    told = json.loads(out)
    assert out.count("\n") == 1 and told["trained"] is False and told["published"]["parity"]["passed"] is True
    assert told["published"]["figures"]["accuracy"] > 0.9
    heads = load_heads(CoreSettings(), "topics")
    assert heads.labels(["i lost my card"])[0]["label"][0].label == "card"
    assert main(["models", "verify", "topics"]) == 0


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    encoder: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words("classifier", encoder, labelled_csv(tmp_path / "t.csv"), "--dry-run")) == 0
    told = last_line(capsys)
    assert told["updates"] == 2 and told["memory"]["total"] > 4 * told["parameters"] > 0
    assert not home.exists()


def test_a_search_comes_before_the_training(encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.toml").write_text("[search]\nlabel_smoothing = [0.0, 0.1]\n", encoding="utf-8")
    call = words("classifier", encoder, labelled_csv(tmp_path / "t.csv"), "--config", "own.toml", "--search", "2")
    assert main([*call, "--run", "mine"]) == 0
    told = last_line(capsys)
    assert len(told["search"]["trials"]) == 2 and told["run"] == "mine"
    assert Path(told["search"]["best_toml"]).is_file()
    asked = json.loads((tmp_path / "home" / "runs" / "mine" / "config.json").read_text(encoding="utf-8"))
    assert asked["options"]["label_smoothing"] == told["search"]["best"]["label_smoothing"]


@pytest.mark.parametrize("task", ["tagger", "embedder", "reranker"])
def test_every_encoder_task_is_published_and_measured_as_served(
    task: str, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    tagged_jsonl(file) if task == "tagger" else pairs_jsonl(file)
    call = words(task, encoder, file, "--held-out", "0.3", "--publish", "mine", "--precision", "fp32", "--json")
    assert main(call) == 0
    told = last_line(capsys)
    assert told["published"]["kind"] == {"embedder": "encoder"}.get(task, task)
    assert told["published"]["figures"]["score"] == pytest.approx(told["figures"]["score"], abs=1e-3)


@pytest.mark.parametrize("task", ["chat", "pretrain"])
def test_decoders_learn_answers_and_texts(
    task: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = (chats_jsonl if task == "chat" else texts_jsonl)(tmp_path / "rows.jsonl")
    decoder: Path = request.getfixturevalue("tiny_decoder")
    more = ["--publish", "talk", "--precision", "fp32"] if task == "chat" else []
    assert main(words(task, decoder, file, "--held-out", "0.3", "--json", *more)) == 0
    told = last_line(capsys)
    assert told["figures"]["perplexity"] > 1
    assert task == "pretrain" or told["published"]["kind"] == "generator"


def test_a_pretrained_encoder_is_trained_on_not_published(
    encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = words("pretrain", encoder, texts_jsonl(tmp_path / "x.jsonl"), "--run", "read", "--json")
    assert main([*call, "--publish", "mine"]) == 1
    assert "--set backbone=" in capsys.readouterr().err
    backbone = tmp_path / "home" / "runs" / "read" / "model"
    assert main(words("classifier", backbone, labelled_csv(tmp_path / "t.csv"), "--json")) == 0


BAD: list[tuple[str, list[str], list[list[object]], list[str]]] = [
    ("columns", ["words", "label"], [["a", "x"], ["b", "y"]], ["no column 'text'", "--column text="]),
    ("class", ["text", "label"], [[f"hello {i}", "a"] for i in range(9)], ["one class only", "Add rows"]),
    ("empty", ["text", "label"], [["", "a"], ["  ", "b"]], ["no good row", "line 2", "is empty"]),
    ("nothing", ["text", "label"], [], ["t.csv"]),
    ("giant", ["text", "label"], [["x" * 10_000_000, "a"]], ["1,000,000", "line 2"]),
]


@pytest.mark.parametrize(("heads", "rows", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_data_is_a_message_with_the_fix_and_nothing_is_left(
    heads: list[str],
    rows: list[list[object]],
    said: list[str],
    encoder: Path,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(words("classifier", encoder, write_csv(tmp_path / "t.csv", heads, rows), "--publish", "mine")) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and all(part in captured.err for part in said), captured.err
    assert "Traceback" not in captured.err and not home.exists()


def test_a_label_that_only_the_test_file_has_is_refused_with_the_fix(
    encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = write_csv(tmp_path / "v.csv", ["text", "label"], [["where is my card", "card"], ["a loan", "loan"]])
    call = words("classifier", encoder, labelled_csv(tmp_path / "t.csv"), "--test", str(test))
    assert main(call) == 1
    err = capsys.readouterr().err
    assert "label=loan" in err and "lines 3" in err and "unseen=drop" in err
    assert main([*call, "--unseen", "drop", "--json"]) == 0
    assert last_line(capsys)["rows"]["test"] == 1


def test_a_loss_that_is_no_number_stops_with_the_fix_and_publishes_nothing(
    encoder: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = [f"--set={each}" for each in ("optimizer=sgd", "learning_rate=10", "head_learning_rate=10", "clip=0")]
    call = words("classifier", encoder, labelled_csv(tmp_path / "t.csv"), *wild, "--publish", "mine", steps=200)
    assert main(call) == 1
    assert "Lower learning_rate (10)" in capsys.readouterr().err
    assert not (home / "models").exists() and not list(home.glob("runs/*/model"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "epoch=3"], "There is no option 'epoch'"),
        (["--set", "epochs=0"], "epochs = 0"),
        (["--config", "nothing"], "No recipe 'nothing'"),
        (["--held-out", "2"], "--held-out 2"),
        (["--head", "topic"], "name=column"),
        (["--set", "backbone=nowhere"], "nowhere"),
        (["--set", "device=cuda"], "CUDA"),
        (["--search", "1", "--held-out", "0"], "--held-out above 0"),
        (["--augment", "1"], "triptych models prepare"),
    ],
)
def test_a_wrong_option_is_named(
    more: list[str], said: str, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if said == "CUDA" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert main(words("classifier", encoder, labelled_csv(tmp_path / "t.csv", 24), *more)) == 1
    assert said in capsys.readouterr().err


def test_a_classifiers_options_are_not_offered_to_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "tagger", "--train", __file__, "--head", "a=b"]) == 2
    assert main(["finetune", "classifier", "--train", "nowhere.csv"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_fills_up_while_saving_leaves_no_model_and_the_run_goes_on(
    encoder: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = words(
        "classifier", encoder, labelled_csv(tmp_path / "t.csv"), "--run", "full", "--set", "checkpoint_every=1"
    )
    code = (
        "import resource, signal, sys\n"
        "from core.text.language import detect_language\n"
        "detect_language('quarterly revenue grew')\n"  # unpacks its model into a temporary file
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"  # bytes of a file: less than the weights
        "from apps.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *call],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "File too large" in done.stderr
    left = [path.name for path in (home / "runs" / "full").rglob("*") if "half" in path.name]
    assert not left and not (home / "runs" / "full" / "model").exists()
    assert main([*call, "--json"]) == 0, "with room again the same command goes on"
    assert last_line(capsys)["trained"] is True


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "recipes", "--json"]) == 0
    assert {"classifier", "tagger", "chat"} <= {row["name"] for row in last_line(capsys)}
    assert main(["finetune", "recipes"]) == 0
