"""Refusals on the project's own labelled samples: fitted on their `fit` half, judged on their `test` half.

    python -m tests.benchmarks.bench_samples [--write]

The halves share no document. Retrieval figures are of the test half too. Prints one line a check and one JSON object;
`--write` keeps it as `results/samples.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict

import numpy as np

from apps.customer_service.answer import ACROSS
from apps.customer_service.model import Knowledge, family
from apps.customer_service.orders import is_order
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_checks import (
    COLLECTIONS,
    fit_checks,
    sample_knowledge,
    sample_questions,
    sample_rows,
)
from core.evaluate.labels import auroc
from core.generate.answerability import Answerability
from core.generate.features import features
from core.generate.lexicon import identifiers
from tests.benchmarks._results import write

Row = tuple[str, str, bool, float, bool]
"""Check, kind, answerable, probability, declined."""


def judge(knowledges: dict[str, Knowledge], checks: dict[str, Answerability], rate: float) -> list[Row]:
    """Every test question as the bot would judge it: its own language first, then the others."""
    rows: list[Row] = []
    for folder, file in COLLECTIONS:
        for q in sample_questions(file, folder):
            if q.split != "test":
                continue
            name = ACROSS if q.across else family(q.language)
            evidence = knowledges[folder].evidence(q.text, q.language, across=q.across)
            held = identifiers(" ".join(f"{p.context} {p.text}" for p in evidence.passages[:4]))
            probability = float(checks[name].probability(features(evidence)[None])[0])
            declined = (
                probability < checks[name].threshold_for(rate) or is_order(q.text) or not identifiers(q.text) <= held
            )
            rows.append((name, q.kind, q.answerable, probability, declined))
    return rows


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    settings = CustomerServiceSettings()
    knowledges = sample_knowledge(settings)
    checks = fit_checks(sample_rows(knowledges, split="fit"), settings)
    rows = judge(knowledges, checks, settings.false_refusal)
    figures: dict[str, dict[str, float]] = {}
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups["all"].append(row)
        groups[row[0]].append(row)
        if not row[2]:
            groups[f"kind {row[1]}"].append(row)
    for name, found in groups.items():
        can = np.array([r[2] for r in found])
        declined = np.array([r[4] for r in found])
        figures[name] = {"questions": len(found)}
        if can.any():
            figures[name]["false_refusal"] = float(declined[can].mean())
        if not can.all():
            figures[name]["caught"] = float(declined[~can].mean())
        if can.any() and not can.all():
            figures[name]["auroc"] = auroc(np.array([r[3] for r in found]), can)
        print(name, {k: round(v, 3) for k, v in figures[name].items()})
    if arguments.write:
        write("samples", figures, data="the labelled samples: fitted on the fit half, judged on the test half")
    else:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
