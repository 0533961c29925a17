from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, InputError
from core.finetune.classifier import ClassifierArgs
from core.finetune.flow.learn import Request, learn
from core.finetune.flow.rows import Data, load_data
from core.finetune.flow.search import BEST, PLOT, Found, search, with_options
from core.finetune.flow.space import parse_space
from core.finetune.runs import Run
from core.models.files import Lock
from tests.core.finetune.files import labelled_csv, request

SPACE = {"learning_rate": {"low": 1e-6, "high": 1e-2, "log": True}, "batch_size": [8, 16]}


@pytest.fixture(scope="module")
def asked(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Request, Data]:
    file = labelled_csv(tmp_path_factory.mktemp("rows") / "t.csv", 40)
    found = request(tiny_encoder, file, max_steps=8, evaluate_every=2, batch_size=8)
    return found, load_data(found.task, found.data)


def run(asked: tuple[Request, Data], folder: Path, trials: int, **more: Any) -> Found:
    return search(*asked, folder, trials=trials, cache=folder / "cache", **{"space": SPACE, **more})


def test_a_search_finds_the_better_options_says_what_mattered_and_goes_on_after_a_kill(
    asked: tuple[Request, Data], tmp_path: Path
) -> None:
    def killed(stage: str, done: int, total: int | None, /) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(asked, tmp_path, 9, progress=killed)
    seen: list[int] = []
    found = run(asked, tmp_path, 9, progress=lambda stage, done, total: seen.append(done))
    assert seen[0] == 3 and len(found.trials) == 9, "the three trials of the killed search count"
    assert found.score == max(t.score or 0.0 for t in found.trials if t.state == "whole")
    assert "stopped" in {t.state for t in found.trials}
    assert set(found.importances) == set(SPACE) and abs(sum(found.importances.values()) - 1) < 1e-6
    best = tomllib.loads((tmp_path / BEST).read_text(encoding="utf-8"))
    assert best["learning_rate"] == found.best["learning_rate"] and best["max_steps"] == 8
    assert (tmp_path / PLOT).stat().st_size > 1000 and len(found.rows()[0]) == len(found.headers)
    assert run(asked, tmp_path, 9).best == found.best, "a finished search trains nothing more"
    with pytest.raises(Conflict, match="--restart"):
        run(asked, tmp_path, 9, space={"epochs": [1, 2]})


def test_more_trials_go_on_with_the_study_and_a_better_one_is_trained_anew(
    asked: tuple[Request, Data], tmp_path: Path
) -> None:
    space = {"learning_rate": [1e-2, 1e-9]}  # the seed draws the poor one first
    runs, trained = Run(tmp_path / "run"), []
    for trials in (1, 3, 4):
        found = run(asked, runs.folder, trials, space=space)
        chosen = with_options(asked[0], found.best)
        learned = learn(chosen, runs, cache=tmp_path, data=asked[1])
        trained.append((len(found.trials), chosen.args.learning_rate, learned.trained))
    assert trained == [(1, 1e-9, True), (3, 1e-2, True), (4, 1e-2, False)]


def test_a_training_that_is_not_of_the_search_is_never_dropped(asked: tuple[Request, Data], tmp_path: Path) -> None:
    runs = Run(tmp_path / "run")
    learn(asked[0], runs, cache=tmp_path, data=asked[1])
    with pytest.raises(Conflict, match="not of this search"):
        run(asked, runs.folder, 1)
    assert runs.done
    assert len(run(asked, runs.folder, 1, restart=True).trials) == 1 and not runs.done


def test_a_trial_that_was_killed_does_not_count(asked: tuple[Request, Data], tmp_path: Path) -> None:
    import optuna

    run(asked, tmp_path, 1)
    study = optuna.load_study(study_name="classifier", storage=f"sqlite:///{tmp_path / 'search.db'}")
    study.ask()  # what a killed process leaves: a trial under way
    assert len(run(asked, tmp_path, 2).trials) == 2
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_nothing_is_restarted_while_a_search_is_under_way(asked: tuple[Request, Data], tmp_path: Path) -> None:
    runs = Run(tmp_path / "run")
    run(asked, runs.folder, 1)
    with Lock(runs.folder / ".search.lock"):
        with pytest.raises(Conflict, match="A search is under way"):
            learn(asked[0], runs, cache=tmp_path, data=asked[1], restart=True)
        with pytest.raises(Conflict, match="Another process works"):
            run(asked, runs.folder, 1, restart=True)
        assert (runs.folder / "search.db").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(Conflict, match="removes runs only"):
        run(asked, tmp_path / "mine", 1, restart=True)
    assert (tmp_path / "mine" / "letter.txt").is_file()


def test_a_trial_that_fails_is_noted_and_the_others_go_on(asked: tuple[Request, Data], tmp_path: Path) -> None:
    found = run(asked, tmp_path, 4, space={"freeze": ["none", 99]})
    failed = [t for t in found.trials if t.state == "failed"]
    assert failed and "the backbone has 2 layers" in failed[0].why and found.best["freeze"] == "none"
    with pytest.raises(InputError, match="None of the 1 trials worked"):
        run(asked, tmp_path / "other", 1, space={"freeze": [98, 99]})


def test_without_held_out_rows_there_is_nothing_to_choose_by(tiny_encoder: Path, tmp_path: Path) -> None:
    bare = request(tiny_encoder, labelled_csv(tmp_path / "t.csv"), held_out=0.0)
    with pytest.raises(InputError, match="--held-out"):
        run((bare, load_data(bare.task, bare.data)), tmp_path, 1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"learning_rte": [1, 2]}, "learning_rte"),
        ({"epochs": {"low": 4, "high": 2}}, "must be below high"),
        ({"epochs": {"low": 0, "high": 4, "log": True}}, "log wants low above 0"),
        ({"epochs": [3]}, "two or more"),
        ({"epochs": 3}, "neither a list"),
        ({"dropout": {"low": 0.0, "high": 2.0}}, "dropout"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_with_the_name(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_space(table, "classifier", ClassifierArgs)


def test_nested_options_and_whole_numbers_are_understood() -> None:
    space = parse_space({"lora": {"rank": {"low": 4, "high": 16, "step": 4}}}, "classifier", ClassifierArgs)
    assert space.dimensions[0].name == "lora.rank" and space.dimensions[0].whole
