"""What people said: win rates or mean scores with intervals, agreement, and tables for a spreadsheet.

Knows ratings; nothing of files or HTTP. Intervals draw items, not ratings: several raters of one item do not make it
several items.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from core.errors import InputError
from core.evaluate.agreement import cohen_kappa, fleiss_kappa
from core.evaluate.human import STEPS, RatingTask
from core.evaluate.intervals import Interval, bootstrap_mean, paired_difference, wilson_interval
from core.evaluate.ratings import Rating
from core.evaluate.report import plain
from core.types import IntArray

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def human_results(task: RatingTask, ratings: Sequence[Rating], *, seed: int = 0) -> dict[str, Any]:
    """All figures of a task, ready for JSON.

    :param ratings: those that count, one a rater and unit.
    :param seed: of the bootstrap.
    :returns: task, raters (ratings by rater), systems, and `agreement`. Side by side a system has wins, losses, ties;
        `win_rate` (a tie is half a win; mean over items; bootstrap interval) and `decided` (wins of all that were no
        tie; Wilson's interval); `left_share` is the share of decisions for the left, near .5 where the place did not
        decide. On the scale a system has its mean (over items, bootstrap interval), the counts of 1 to 5, and
        `differences` compares systems on the items that both have.
    :raises InputError: if there is no rating.
    """
    if not ratings:
        raise InputError(f"There is no rating of {task.name} yet.")
    figures: dict[str, Any] = {
        "task": task.name,
        "mode": task.mode,
        "items": len(task.items),
        "units": len(task.units),
        "ratings": len(ratings),
        "raters": dict(sorted(Counter(rating.rater for rating in ratings).items())),
    }
    body = _pairwise(task, ratings, seed) if task.mode == "pairwise" else _scale(task, ratings, seed)
    return {**figures, **body, "agreement": agreement(task, ratings)}


def agreement(task: RatingTask, ratings: Sequence[Rating]) -> dict[str, Any]:
    """Cohen's kappa of every two raters on the units they share, Fleiss' kappa on those that all have rated.

    :returns: `pairs`: raters, units, exact agreement, kappa and quadratically weighted kappa (left system, equal, right
        system and 1 to 5 are both steps); `fleiss`: raters, units and kappa, or None where fewer than two raters share
        a unit. A kappa is NaN where only one category was used.
    """
    said: dict[str, dict[str, int]] = {}
    for rating in ratings:
        said.setdefault(rating.rater, {})[rating.unit] = _category(task, rating)
    k = 3 if task.mode == "pairwise" else STEPS
    pairs = []
    for one, other in combinations(sorted(said), 2):
        shared = sorted(said[one].keys() & said[other].keys())
        if not shared:
            continue
        a, b = (np.array([said[rater][unit] for unit in shared], dtype=np.int64) for rater in (one, other))
        pairs.append(
            {
                "raters": [one, other],
                "units": len(shared),
                "exact": float((a == b).mean()),
                "kappa": cohen_kappa(a, b, k),
                "quadratic_kappa": cohen_kappa(a, b, k, "quadratic"),
            }
        )
    complete = sorted(set.intersection(*(set(table) for table in said.values()))) if len(said) > 1 else []
    fleiss = None
    if complete:
        rows = [np.bincount([table[unit] for table in said.values()], minlength=k) for unit in complete]
        counts: IntArray = np.array(rows, dtype=np.int64)
        fleiss = {"raters": len(said), "units": len(complete), "kappa": fleiss_kappa(counts)}
    return {"pairs": pairs, "fleiss": fleiss}


def results_json(task: RatingTask, ratings: Sequence[Rating]) -> dict[str, Any]:
    """`human_results` and every rating with the answers it is about, in what strict JSON knows.

    :returns: "results" and "ratings"; a kappa that says nothing is None.
    :raises InputError: if there is no rating.
    """
    rows = []
    for rating in ratings:
        item = task.units[rating.unit].item
        row = {"item": rating.item, "prompt": item.prompt, "context": item.context, "rater": rating.rater}
        said = {"preferred": rating.preferred} if task.mode == "pairwise" else {"score": rating.score}
        answers = [{"system": system, "text": item.answers[system]} for system in rating.shown]
        rows.append({**row, "answers": answers, **said, "rated_at": rating.at})
    return {"results": plain(human_results(task, ratings)), "ratings": rows}


def results_csv(task: RatingTask, ratings: Sequence[Rating]) -> str:
    """One line a rating for a spreadsheet; no cell can be taken for a formula.

    :returns: CSV with a byte-order mark, so that Excel reads Chinese.
    """
    pairwise = task.mode == "pairwise"
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    verdicts = ("left", "right", "preferred") if pairwise else ("system", "score")
    writer.writerow(("item", "prompt", "rater", *verdicts, "rated_at"))
    for rating in ratings:
        prompt = task.units[rating.unit].item.prompt
        said = (*rating.shown, rating.preferred or "") if pairwise else (*rating.shown, rating.score)
        writer.writerow([safe_cell(value) for value in (rating.item, prompt, rating.rater, *said, rating.at)])
    return out.getvalue()


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet runs as a formula: an apostrophe stands before =, +, -, @, tab and return.

    OWASP, "CSV Injection". Numbers stay numbers.
    """
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_RISKY) else text


def _category(task: RatingTask, rating: Rating) -> int:
    if rating.score is not None:
        return rating.score - 1
    return 1 if rating.preferred is None else 2 * task.systems.index(rating.preferred)


def _pairwise(task: RatingTask, ratings: Sequence[Rating], seed: int) -> dict[str, Any]:
    wins = Counter(rating.preferred for rating in ratings)
    ties = wins[None]
    decided = len(ratings) - ties
    left = sum(rating.verdict == "left" for rating in ratings)
    systems = {}
    for system in task.systems:
        shares: dict[str, list[float]] = {}
        for rating in ratings:
            value = 0.5 if rating.preferred is None else float(rating.preferred == system)
            shares.setdefault(rating.unit, []).append(value)
        systems[system] = {
            "wins": wins[system],
            "losses": decided - wins[system],
            "ties": ties,
            "win_rate": _shown(bootstrap_mean([float(np.mean(row)) for row in shares.values()], seed=seed)),
            "decided": _shown(wilson_interval(wins[system], decided)) if decided else None,
        }
    return {"systems": systems, "left_share": _shown(wilson_interval(left, decided)) if decided else None}


def _scale(task: RatingTask, ratings: Sequence[Rating], seed: int) -> dict[str, Any]:
    scores: dict[str, dict[str, list[int]]] = {system: {} for system in task.systems}
    for rating in ratings:
        scores[rating.shown[0]].setdefault(task.units[rating.unit].item.key, []).append(rating.score or 0)
    means = {
        system: {item: float(np.mean(row)) for item, row in table.items()} for system, table in scores.items() if table
    }
    systems = {}
    for system, table in means.items():
        counts = Counter(score for row in scores[system].values() for score in row)
        systems[system] = {
            "mean": _shown(bootstrap_mean(list(table.values()), seed=seed)),
            "ratings": counts.total(),
            "counts": [counts[step] for step in range(1, STEPS + 1)],
        }
    differences = []
    for one, other in combinations(means, 2):
        shared = sorted(means[one].keys() & means[other].keys())
        if shared:
            gap = paired_difference([means[one][i] for i in shared], [means[other][i] for i in shared], seed=seed)
            differences.append({"systems": [one, other], **_shown(gap), "p_value": gap.p_value})
    return {"systems": systems, "differences": differences}


def _shown(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}
