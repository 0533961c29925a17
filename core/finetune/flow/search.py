"""A search for better options: trials on the held-out rows, poor ones stopped early, resumable after a kill.

The study is optuna's, in SQLite in the run folder: the tree-structured Parzen estimator (Bergstra et al. 2011,
"Algorithms for Hyper-Parameter Optimization") proposes, the median rule stops (Golovin et al. 2017, "Google Vizier").
The test rows are never looked at. Knows options and scores; nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import Conflict, InputError, Unavailable
from core.finetune.flow.learn import Request
from core.finetune.flow.recipe import flat, make_options
from core.finetune.flow.rows import Data
from core.finetune.flow.space import Space, parse_space
from core.finetune.flow.tasks import find_task
from core.finetune.runs import LOCK, SEARCH_LOCK, Run
from core.finetune.runs import SEARCH as STUDY
from core.finetune.watch import Watcher, watched
from core.models.files import Lock, replace_text
from core.progress import Report, quiet

BEST, PLOT, TABLE = "best.toml", "search.png", "search.json"
_STARTUP = 4
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One training with options that were proposed."""

    number: int
    state: str
    """ "whole", "stopped" early for being worse than the median, or "failed"."""
    score: float | None
    """The greatest of its evaluations; None where there was none."""
    options: Mapping[str, Any]
    why: str = ""
    """What a failed one said."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    best: Mapping[str, Any]
    """Options by dotted name."""
    score: float
    trials: tuple[Trial, ...]
    """The best first."""
    importances: Mapping[str, float]
    """Share of the differences between the scores that an option explains, greatest first; empty below four trials."""
    folder: Path

    @property
    def headers(self) -> tuple[str, ...]:
        """Of the table of trials."""
        return ("trial", "state", "score", *self.best)

    def rows(self) -> list[tuple[Any, ...]]:
        """Of the table of trials."""
        return [
            (t.number, t.state, "-" if t.score is None else t.score, *(t.options.get(name, "") for name in self.best))
            for t in self.trials
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "best": dict(self.best),
            "score": self.score,
            "importances": dict(self.importances),
            "trials": [
                {"number": t.number, "state": t.state, "score": t.score, "options": dict(t.options), "why": t.why}
                for t in self.trials
            ],
            "best_toml": str(self.folder / BEST),
            "plot": str(self.folder / PLOT),
        }


def search(
    request: Request,
    data: Data,
    folder: Path,
    *,
    trials: int,
    space: Mapping[str, Any] | None = None,
    cache: Path,
    restart: bool = False,
    progress: Report = quiet,
) -> Found:
    """Try options until there are `trials` of them. Those that an earlier call brought to an end count, those that were
    killed do not. Where more trials find better options, a training with the earlier best ones gives way.

    :param folder: run folder; gets the study, `best.toml`, a table and a plot.
    :param space: table `[search]` of a recipe; empty means the task's usual space.
    :param restart: drop what an earlier run left in the folder.
    :raises InputError: if no rows are held out, the space names no option, or every trial failed.
    :raises Conflict: if another process works there, the study is of another space or other data, or the folder holds
        a training that is not of this search.
    """
    if not data.held:
        raise InputError("A search chooses by held-out rows; give --held-out above 0.")
    kind = type(request.args)
    found = parse_space(space or {}, request.task, kind)
    folder.mkdir(parents=True, exist_ok=True)
    lock, run = folder / SEARCH_LOCK, Run(folder)
    if not Lock.is_free(lock) or not Lock.is_free(folder / LOCK):
        raise Conflict(f"Another process works in {folder}; wait for it, or choose another --run.")
    with Lock(lock):
        if restart:
            run.empty()
        study = _open(folder, request, data, found)
        _check_trained(run, study, request, data)
        while (done := sum(map(_ended, study.trials))) < trials:
            progress("trials", done, trials)
            _run_one(study, request, data, found, cache, done)
        progress("trials", trials, trials)
        result = _result(study, folder)
        _keep(result, request, folder)
        if run.asked() not in (None, _identity(request, result.best, data)):
            run.drop_training()
    return result


def with_options(request: Request, options: Mapping[str, Any]) -> Request:
    """The request with options of a trial, by dotted name, on top of its own."""
    own = dict(flat(request.args.model_dump(mode="json", exclude_defaults=True)))
    return replace(request, args=make_options(type(request.args), None, {**own, **options}))


def _identity(request: Request, options: Mapping[str, Any], data: Data) -> Any:
    return json.loads(json.dumps(with_options(request, options).identity(data)))


def _check_trained(run: Run, study: Any, request: Request, data: Data) -> None:
    """A training that is not of this search is never dropped, and stands in the way of the one that comes after."""
    known, whole = run.asked(), [each for each in study.trials if each.state.name == "COMPLETE"]
    if known is not None and not any(known == _identity(request, each.params, data) for each in whole):
        raise Conflict(
            f"{run.folder} holds a training that is not of this search. Choose another --run, or pass --restart."
        )


def _ended(trial: Any) -> bool:
    """Whether a trial came to an end of its own: whole, stopped, or failed with a reason. What was killed did not."""
    return bool(trial.state.is_finished()) and (trial.state.name != "FAIL" or _FAILED in trial.user_attrs)


def _open(folder: Path, request: Request, data: Data, space: Space) -> Any:
    optuna = _optuna()
    url = f"sqlite:///{folder / STUDY}"
    seen = len(optuna.load_study(study_name=request.task, storage=url).trials) if (folder / STUDY).is_file() else 0
    study = optuna.create_study(
        storage=url,
        study_name=request.task,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=request.args.seed + seen, n_startup_trials=_STARTUP),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=20),
    )
    asked = json.dumps({**request.identity(data), "space": space.as_dict()}, sort_keys=True)
    if study.user_attrs.get("asked", asked) != asked:
        raise Conflict(
            f"{folder / STUDY} is a search of other options, data or space. Choose another --run, or pass --restart."
        )
    study.set_user_attr("asked", asked)
    for left in study.trials:
        if not left.state.is_finished():  # its process was killed
            study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    return study


class _Judge(Watcher):
    """Passes evaluations on to a trial, by the share of the training that is done."""

    def __init__(self, trial: Any) -> None:
        self.trial, self.total = trial, 1
        self.best: float | None = None

    def began(self, model: Any, lengths: Any, total: int) -> None:
        """Trials differ in updates: what is compared is the share."""
        self.total = max(1, total)

    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """Report, and stop if others were better at this point."""
        score = float(figures["score"])
        self.best = score if self.best is None else max(self.best, score)
        percent = round(100 * step / self.total)
        self.trial.report(self.best, percent)
        if percent < 100 and self.trial.should_prune():
            raise _optuna().TrialPruned


def _run_one(study: Any, request: Request, data: Data, space: Space, cache: Path, number: int) -> None:
    from core.finetune.hardware import Diverged, OutOfMemory

    optuna = _optuna()
    states = optuna.trial.TrialState
    trial = study.ask()
    judge = _Judge(trial)
    try:
        args = with_options(request, {**space.propose(trial), "track": []}).args
        with watched(judge):
            find_task(request.task).fit(data.rows, data.held, args, cache=cache, how=request.data.reading)
        if judge.best is None:
            raise InputError("There was no evaluation, so nothing to compare.")
        study.tell(trial, judge.best)
    except optuna.TrialPruned:
        study.tell(trial, state=states.PRUNED)
    except (Diverged, OutOfMemory, InputError) as error:
        trial.set_user_attr(_FAILED, str(error))
        study.tell(trial, state=states.PRUNED if judge.best is not None else states.FAIL)


def _result(study: Any, folder: Path) -> Found:
    optuna = _optuna()
    trials = [_trial(each) for each in study.trials if _ended(each)]
    whole = [t for t in trials if t.state == "whole" and t.score is not None]
    if not whole:
        why = next((t.why for t in trials if t.why), "none came to its end")
        raise InputError(f"None of the {len(trials)} trials worked: {why}")
    ordered = sorted(trials, key=lambda t: (t.state != "whole", -(t.score if t.score is not None else -1e9), t.number))
    best = min(whole, key=lambda t: (-(t.score or 0.0), t.number))
    shares: dict[str, float] = {}
    if len(whole) >= 4 and len({t.score for t in whole}) > 1 and best.options:
        shares = dict(optuna.importance.get_param_importances(study))
    return Found(best.options, float(best.score or 0.0), tuple(ordered), shares, folder)


def _trial(each: Any) -> Trial:
    states = {"COMPLETE": "whole", "PRUNED": "stopped"}
    why = str(each.user_attrs.get(_FAILED, ""))
    state = _FAILED if why else states.get(each.state.name, _FAILED)
    values = list(each.intermediate_values.values())
    score = each.value if each.state.name == "COMPLETE" else max(values, default=None)
    return Trial(each.number, state, score, dict(each.params), why)


def _keep(found: Found, request: Request, folder: Path) -> None:
    from core.finetune.flow.search_plot import draw_search

    options = dict(flat(request.args.model_dump(mode="json", exclude_defaults=True))) | dict(found.best)
    lines = [f"# Best of {len(found.trials)} trials: score {found.score:.4f} on held-out rows."]
    lines += [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    replace_text(folder / BEST, "\n".join(lines) + "\n")
    replace_text(folder / TABLE, json.dumps(found.as_dict(), indent=1, ensure_ascii=False) + "\n")
    draw_search(folder / PLOT, found)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise Unavailable("--search needs optuna: `pip install 'triptych[train]'`.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
