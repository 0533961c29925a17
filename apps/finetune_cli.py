"""The verbs `triptych finetune ...`: a file of rows to a trained, measured, exported and published model.

Knows arguments and what to print; the work is `core.finetune`'s, imported when a verb runs.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from apps.finetune_report import say_data, say_result
from core.console import put_json, put_table

if TYPE_CHECKING:
    from core.finetune.flow.learn import More, Request
    from core.finetune.flow.recipe import Recipe
    from core.finetune.flow.rows import Data
    from core.settings import CoreSettings

app = typer.Typer(no_args_is_help=True)

Train = Annotated[
    Path, typer.Option(help="Rows to learn from: CSV, JSONL or Parquet.", exists=True, dir_okay=False, readable=True)
]
Test = Annotated[
    Path | None,
    typer.Option(
        help="Rows to measure on, in the same format; left out: the held-out rows.", exists=True, dir_okay=False
    ),
]
Config = Annotated[
    str | None,
    typer.Option(help="Options: a TOML file, or a shipped recipe by its name (`triptych finetune recipes`)."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="An option on top, as in epochs=3 or lora.rank=8; repeat it.")
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="The file's own name of a column, as in text=question.")
]
Heads = Annotated[
    list[str] | None, typer.Option("--head", help="A head and its column, as in topic=topics:multi; repeat it.")
]
Pairs = Annotated[bool, typer.Option("--pairs", help="Each row is two texts, `text` and `pair`.")]
HeldOut = Annotated[
    float, typer.Option(help="Share of the rows kept back to choose the best weights and to calibrate; 0 keeps none.")
]
RunName = Annotated[
    str | None,
    typer.Option("--run", help="Name of the run folder; left out: made of the task, the options and the data."),
]
Publish = Annotated[str | None, typer.Option(help="Export, compare with torch and publish under this name.")]
Precision = Annotated[
    str, typer.Option(help="Of the export: int8, int8-static, fp16 or fp32; int4 for chat. Left out: the task's usual.")
]
Force = Annotated[bool, typer.Option("--force", help="Publish even if the version in force scored better.")]
Search = Annotated[int, typer.Option(min=0, help="Trials of a search for better options before the training.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say steps, memory and expected time; write nothing.")]
Restart = Annotated[bool, typer.Option("--restart", help="Drop what an earlier run of this name left.")]
Augment = Annotated[int, typer.Option(min=0, max=20, help="New texts the generator shall write for every row.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a file if one row is wrong.")]
Duplicates = Annotated[Literal["drop", "keep"], typer.Option(help="Training rows that repeat an earlier one.")]
Conflicts = Annotated[
    Literal["keep", "drop", "majority", "refuse"], typer.Option(help="Training rows of one text and different labels.")
]
Leaks = Annotated[
    Literal["keep", "drop-test", "drop-train", "refuse"], typer.Option(help="Test rows that stand in training.")
]
Unseen = Annotated[Literal["refuse", "drop"], typer.Option(help="Test rows with a label that no training row has.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON only.")]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `triptych finetune TASK`."""

    request: Request
    recipe: Recipe | None
    settings: CoreSettings
    run: str | None
    publish: str | None
    precision: str
    force: bool
    search: int
    dry_run: bool
    restart: bool
    as_json: bool


def _verb(task: str, *, labelled: bool = False) -> Callable[..., None]:
    """The command of a task; heads and pairs are a classifier's alone."""

    def run(
        train: Train,
        test: Test = None,
        config: Config = None,
        set_: Set = None,
        column: Columns = None,
        head: Heads = None,
        pairs: Pairs = False,
        held_out: HeldOut = 0.1,
        run_: RunName = None,
        publish: Publish = None,
        precision: Precision = "",
        force: Force = False,
        search: Search = 0,
        dry_run: DryRun = False,
        restart: Restart = False,
        augment: Augment = 0,
        duplicates: Duplicates = "drop",
        conflicts: Conflicts = "keep",
        leaks: Leaks = "keep",
        unseen: Unseen = "refuse",
        strict: Strict = False,
        as_json: AsJson = False,
    ) -> None:
        _calm_threads()
        from apps.house import load_settings
        from core.finetune.data import Policy, parse_heads
        from core.finetune.flow.learn import Request
        from core.finetune.flow.recipe import make_options, parse_overrides, read_recipe
        from core.finetune.flow.rows import DataRequest
        from core.finetune.flow.tasks import Reading, find_task

        columns = dict(_column(word) for word in column or ())
        reading = Reading(columns, parse_heads(head or ()), pairs or "pair" in columns, strict)
        policy = Policy(duplicates, conflicts, leaks, unseen)
        recipe = read_recipe(config) if config else None
        args = make_options(find_task(task).args, recipe, parse_overrides(set_ or ()))
        data = DataRequest(train, test, reading, held_out, 0, policy)
        request = Request(task, data, args, augment)
        _go(Call(request, recipe, load_settings(), run_, publish, precision, force, search, dry_run, restart, as_json))

    if not labelled:
        _forget(run, "head", "pairs", "augment")
    return run


def _forget(function: Any, *names: str) -> None:
    """Take parameters off a command; they keep their defaults."""
    signature, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
    kept = [p.replace(annotation=hints[name]) for name, p in signature.parameters.items() if name not in names]
    function.__signature__ = signature.replace(parameters=kept)


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """The shipped recipes, for `--config`."""
    from core.finetune.flow.recipe import read_recipe, shipped

    rows = [
        {"name": name, "task": recipe.task, "about": recipe.about, "file": str(recipe.path)}
        for name, recipe in ((name, read_recipe(name)) for name in shipped())
    ]
    if as_json:
        put_json(rows)
    else:
        put_table(("recipe", "task", "what it is for"), [(row["name"], row["task"], row["about"]) for row in rows])


def _go(call: Call) -> None:
    from core.finetune.flow.learn import learn
    from core.finetune.flow.rows import load_data
    from core.finetune.runs import Run
    from core.models.artifacts import ArtifactStore
    from core.progress import Bar

    request, home = call.request, call.settings.home
    cache = home / "cache"
    data = load_data(request.task, request.data)
    say_data(data, quietly=call.as_json)
    if call.dry_run:
        _dry_run(call, data, cache)
        return
    name = call.run or _run_name(request, data, call.search)
    if Path(name).name != name:
        from core.errors import InputError

        raise InputError(f"--run {name!r} is a path; give a plain name, the folder is made under {home / 'runs'}.")
    run = Run(home / "runs" / name)
    found: dict[str, Any] = {}
    with Bar() as bar:
        if call.search:
            request, found = _search(call, data, run.folder, cache, bar)
        learned = learn(
            request,
            run,
            cache=cache,
            restart=call.restart and not call.search,
            data=data,
            more=_more(call, bar),
            progress=bar,
        )
    published = None
    if call.publish:
        from core.finetune.flow.publish import publish

        store = ArtifactStore(call.settings.models_folder)
        published = publish(
            learned, request.args, store, call.publish, precision=call.precision, force=call.force, cache=cache
        )
    say_result(learned, published, found, as_json=call.as_json)


def _run_name(request: Request, data: Data, search: int) -> str:
    import hashlib
    import json

    said = json.dumps({**request.identity(data), "search": bool(search)}, sort_keys=True)
    return f"{request.task}-{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def _dry_run(call: Call, data: Data, cache: Path) -> None:
    from core.finetune.flow.dryrun import estimate

    found = estimate(call.request, data, cache=cache)
    if not call.as_json:
        put_table(("dry run", ""), found.table())
    put_json(found.as_dict())


def _search(call: Call, data: Data, folder: Path, cache: Path, bar: Any) -> tuple[Request, dict[str, Any]]:
    from core.finetune.flow.search import search, with_options

    space = call.recipe.search if call.recipe else {}
    found = search(
        call.request, data, folder, trials=call.search, space=space, cache=cache, restart=call.restart, progress=bar
    )
    if not call.as_json:
        put_table(found.headers, found.rows(), title=f"{len(found.trials)} trials, the best first")
        if found.importances:
            put_table(("option", "share of what mattered"), found.importances.items())
    return with_options(call.request, found.best), found.as_dict()


def _more(call: Call, bar: Any) -> More | None:
    """What writes further rows with the generator of the settings."""
    wanted = call.request.augment
    if not wanted:
        return None

    def more(rows: Any) -> Any:
        from core.backends import load_encoder, load_generator
        from core.errors import InputError
        from core.finetune.data import AugmentSettings, augment

        generator = load_generator(call.settings)
        if generator is None:
            raise InputError("--augment needs a generator; the setting TRIPTYCH_GENERATOR is `none`.")
        settings = AugmentSettings(per_row=wanted, seed=call.request.args.seed)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar("rows augmented", done, len(rows))

        made = augment(rows, generator, load_encoder(call.settings), settings, advance=advance)
        return made.rows, made.report.as_dict()

    return more


def _column(word: str) -> tuple[str, str]:
    name, equals, column = word.partition("=")
    if not equals or not name or not column:
        raise typer.BadParameter(f"{word!r}: write OURS=THEIRS, as in text=question", param_hint="--column")
    return name, column


def _calm_threads() -> None:
    """Threads that sleep while they wait: two processes on the same cores slow each other tenfold otherwise.

    Must be set before torch is loaded; what the user set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


_HELP = {
    "classifier": "Texts, or pairs of texts, to labels: one, several, or several heads (columns text, label).",
    "tagger": "A tag for every word (JSONL with words and tags, or a CoNLL file).",
    "embedder": "Vectors in which what belongs together is near (columns query, positive; or text, label).",
    "reranker": "How well a passage answers a query, and whether it does (columns query, passage, label).",
    "chat": "A decoder that answers in your words (JSONL with messages, or columns question, answer).",
    "pretrain": "A backbone that learns your language from plain text (column text, or a .txt file).",
}
for _name, _text in _HELP.items():
    app.command(_name, help=_text)(_verb(_name, labelled=_name == "classifier"))
