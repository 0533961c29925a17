"""Every fusion choice on company reports: which retriever, which weights, with and without titles.

    python -m tests.benchmarks.bench_retrieval --data DIR [--write]

DIR holds `customer_service/rag_{en,zh}_{docs,dev}.jsonl`. Span recall: one of a question's evidence spans stands
whole in one of the first k passages. Prints a table and one JSON object; `--write` keeps `results/retrieval.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.data import read_documents, read_questions
from apps.customer_service.evaluate_rag import _holds as holds
from apps.customer_service.model import MULTILINGUAL, Knowledge
from apps.customer_service.passages import fill
from apps.customer_service.settings import CustomerServiceSettings
from core.backends import load_encoder
from core.index.fusion import reciprocal_rank_fusion
from core.text import words
from core.types import FloatArray
from tests.benchmarks._results import write

Scores = dict[str, FloatArray]


def scores(knowledge: Knowledge, question: str, language: str, ids: np.ndarray) -> Scores:
    """Each retriever's score of every passage, none cut off."""
    terms = words(question, language, stem=True)
    bound = sum(knowledge.index.lexical.idf(t) for t in terms) or 1.0
    shelf = knowledge._shelf
    rows = [shelf.titles.rows[shelf.passages[int(i)].chunk.document_id] for i in ids]
    found = {
        "bm25": knowledge.index.lexical.scores_for(terms, ids) / bound,
        "title": shelf.titles.coverage(terms)[rows],
    }
    for name, index in knowledge.index.dense.items():
        encoder = knowledge.multilingual if name == MULTILINGUAL else knowledge.english
        assert encoder is not None
        found[name] = index.scores_for(encoder.encode([question])[0], ids)
    return {name: np.where(np.isfinite(s), s, 0).astype(np.float32) for name, s in found.items()}


def rrf(*names: str) -> Callable[[Scores, np.ndarray], np.ndarray]:
    """Reciprocal rank fusion, equal weights."""

    def rank(s: Scores, ids: np.ndarray) -> np.ndarray:
        return reciprocal_rank_fusion([ids[np.argsort(-s[n], kind="stable")] for n in names])[0]

    return rank


def blend(**weights: float) -> Callable[[Scores, np.ndarray], np.ndarray]:
    """Weighted sum of bounded scores."""

    def rank(s: Scores, ids: np.ndarray) -> np.ndarray:
        return ids[np.argsort(-sum(w * s[n] for n, w in weights.items()), kind="stable")]

    return rank


def choices(dense: str) -> dict[str, Callable[[Scores, np.ndarray], np.ndarray]]:
    """Rankings by name."""
    found = {n: blend(**{n: 1.0}) for n in ("bm25", dense)}
    found |= {f"RRF(bm25, {dense})": rrf("bm25", dense), f"RRF(bm25, {dense}, title)": rrf("bm25", dense, "title")}
    for weight in (0.1, 0.2, 0.5, 0.7, 1.0):
        found[f"bm25 + {weight} {dense}"] = blend(bm25=1.0, **{dense: weight})
        found[f"bm25 + {weight} {dense} + 0.2 title"] = blend(bm25=1.0, title=0.2, **{dense: weight})
    return found


def measure(data: Path, language: str, settings: CustomerServiceSettings) -> list[dict[str, object]]:
    """Span recall of every choice on one language."""
    english, multilingual = load_encoder(settings), load_encoder(settings, settings.multilingual_encoder)
    knowledge = Knowledge(english, multilingual, settings)
    fill(read_documents(data / f"customer_service/rag_{language}_docs.jsonl").rows, knowledge)
    asked = [
        q for q in read_questions(data / f"customer_service/rag_{language}_dev.jsonl").rows if q.answerable and q.spans
    ]
    ids = knowledge.index.ids
    texts = {int(i): knowledge.held(int(i)).chunk.text for i in ids}  # type: ignore[union-attr]
    retrievers = ["english", "multilingual"] if language == "en" else ["multilingual"]
    ranks = {name: rank for dense in retrievers for name, rank in choices(dense).items()}
    hits: dict[str, list[Sequence[bool]]] = {name: [] for name in ranks}
    for q in asked:
        s = scores(knowledge, q.question, language, ids)
        for name, rank in ranks.items():
            hits[name].append([holds(texts[int(i)], q.spans) for i in rank(s, ids)[:5]])
    return [
        {
            "language": language,
            "choice": name,
            "span_recall@1": round(float(np.mean([h[0] for h in rows])), 4),
            "span_recall@5": round(float(np.mean([any(h) for h in rows])), 4),
        }
        for name, rows in hits.items()
    ]


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    settings = CustomerServiceSettings()
    rows = [row for language in ("en", "zh") for row in measure(arguments.data, language, settings)]
    for row in rows:
        print(f"{row['language']}  {row['choice']:42s} {row['span_recall@1']:.3f}  {row['span_recall@5']:.3f}")
    result = {"passage_tokens": settings.passage_tokens, "rows": rows}
    if arguments.write:
        write("retrieval", result, data="company reports en and zh, 700 questions each")
    else:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
