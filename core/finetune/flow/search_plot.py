"""A search as a picture: every trial's score with the best so far, and what the options explain.

Knows the result of a search. Needs matplotlib, from the extra `train`.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.finetune.flow.search import Found

_COLOURS = {"whole": "#1f77b4", "stopped": "#ff9d45", "failed": "#c23b3b"}


def draw_search(path: Path, found: Found) -> Path:
    """Write the PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    history, shares = figure.subplots(1, 2, width_ratios=(3, 2))
    ordered = sorted((t for t in found.trials if t.score is not None), key=lambda t: t.number)
    for state, colour in _COLOURS.items():
        points = [(t.number, t.score) for t in ordered if t.state == state]
        if points:
            history.scatter([x for x, _ in points], [y for _, y in points], s=18, color=colour, label=state)
    whole = [(t.number, float(t.score or 0.0)) for t in ordered if t.state == "whole"]
    history.step([x for x, _ in whole], list(accumulate((y for _, y in whole), max)), where="post", color="#444444")
    history.set_xlabel("trial")
    history.set_ylabel("score")
    history.grid(alpha=0.3)
    history.legend(fontsize=8)
    names = list(found.importances)[::-1]
    if names:
        shares.barh(names, [found.importances[name] for name in names], color="#1f77b4")
        shares.set_xlabel("share of what mattered")
    else:
        shares.set_axis_off()
        shares.text(0.5, 0.5, "too few whole trials\nto tell what mattered", ha="center", va="center")
    figure.savefig(path, metadata={"Software": ""})
    return path
