from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InputError, NotFound
from core.finetune.classifier import ClassifierArgs
from core.finetune.flow.learn import Request, learn
from core.finetune.flow.recipe import make_options, parse_overrides, read_recipe, shipped
from core.finetune.flow.rows import DataRequest
from core.finetune.flow.space import parse_space
from core.finetune.flow.tasks import TASKS, find_task
from core.finetune.runs import Run
from tests.core.finetune.files import TINY, chats_jsonl, labelled_csv, pairs_jsonl, tagged_jsonl, texts_jsonl


def rows_for(name: str, folder: Path) -> Path:
    if name == "embedder-labels":
        return labelled_csv(folder / "rows.csv", 24)
    task = read_recipe(name).task
    if task == "classifier":
        return labelled_csv(folder / "rows.csv", 24)
    makers = {
        "tagger": tagged_jsonl,
        "embedder": pairs_jsonl,
        "reranker": pairs_jsonl,
        "chat": chats_jsonl,
        "pretrain": texts_jsonl,
    }
    return makers[task](folder / "rows.jsonl")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_recipe_trains_and_measures(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    kind = find_task(recipe.task)
    decoder = recipe.options["backbone"] == "smollm2"
    backbone: Path = request.getfixturevalue("tiny_decoder" if decoder else "tiny_encoder")
    overrides = {**TINY, "backbone": str(backbone), "max_steps": 2, "batch_size": 4, "evaluate_every": 2}
    args = make_options(kind.args, recipe, overrides)
    asked = Request(recipe.task, DataRequest(rows_for(name, tmp_path), held_out=0.25), args)
    learned = learn(asked, Run(tmp_path / "run"), cache=tmp_path / "cache")
    assert learned.record["steps"] == 2 and (learned.model / "task.json").is_file()
    assert learned.measured is not None or recipe.task == "pretrain"
    assert recipe.about and recipe.about.endswith((".", "weights"))


def test_every_task_has_a_recipe_of_its_name() -> None:
    assert set(TASKS) <= set(shipped())
    assert all(read_recipe(name).task == name for name in TASKS)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_usual_space_of_every_task_names_its_own_options(name: str) -> None:
    assert parse_space({}, name, find_task(name).args).dimensions


def test_a_name_that_is_no_recipe_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="not one of chat, classifier"):
        read_recipe("sentimental")
    (tmp_path / "own.toml").write_text("epochs = = 2", encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.toml cannot be read as TOML"):
        read_recipe(tmp_path / "own.toml")


def test_a_wrong_option_is_named_with_its_file_and_a_wrong_override_without(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("epochs = 2\n[lora]\nrang = 4\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.toml: There is no option 'lora\.rang'"):
        make_options(ClassifierArgs, read_recipe(file))
    with pytest.raises(InputError, match=r"epochs = -1"):
        make_options(ClassifierArgs, None, parse_overrides(["epochs=-1"]))
    with pytest.raises(InputError, match="is not name=value"):
        parse_overrides(["epochs"])


def test_overrides_win_over_the_file() -> None:
    args = make_options(ClassifierArgs, read_recipe("classifier"), parse_overrides(["epochs=2", "lora.rank=4"]))
    assert (args.epochs, args.lora.rank, args.layer_decay) == (2.0, 4, 0.9)
