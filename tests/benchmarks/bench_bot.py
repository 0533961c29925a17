"""The bot on a real knowledge base: ingest against the bare encoder, and how long a person waits.

    python -m tests.benchmarks.bench_bot --data DIR [--questions 200] [--write]

DIR holds `customer_service/bank_kb.jsonl` and `banking77_train.csv`. The bare encoder runs on the very passages of the
ingest, before and after it, at the same batch size and threads. Prints a table and one JSON object; `--write` keeps it
as `results/bot.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

from apps.customer_service.model import encoded_text
from apps.customer_service.schemas import Question
from apps.customer_service.service import Service, build_service
from apps.customer_service.settings import CustomerServiceSettings
from core.backends import load_encoder
from core.errors import SuiteError
from core.settings import CoreSettings
from tests.benchmarks._results import write


def bare_rate(encoder: object, texts: list[str]) -> float:
    """Passages a second of the encoder alone."""
    started = time.perf_counter()
    encoder.encode(texts)  # type: ignore[attr-defined]
    return len(texts) / (time.perf_counter() - started)


def ingest(data: Path, settings: CustomerServiceSettings, rounds: int) -> dict[str, float]:
    """Rates of ingest and bare encoder, alternating; medians."""
    knowledge_base = data / "customer_service/bank_kb.jsonl"
    encoder = load_encoder(settings)
    bare, whole, again, across = [], [], [], []
    texts: list[str] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as home:
            (Path(home) / "models").symlink_to(CoreSettings().models_folder)
            service = build_service(settings.model_copy(update={"home": Path(home), "generator": "none"}))
            try:
                started = time.perf_counter()
                report = service.ingest([knowledge_base])
                total = time.perf_counter() - started
                whole.append(report.passages / report.seconds)
                across.append(total - report.seconds)
                started = time.perf_counter()
                service.ingest([knowledge_base])
                again.append(time.perf_counter() - started)
                texts = [encoded_text(c.chunk) for block in service.store.iter_chunks() for c in block]
            finally:
                service.close()
        bare.append(bare_rate(encoder, texts))
    return {
        "passages": len(texts),
        "bare_passages_per_second": statistics.median(bare),
        "ingest_passages_per_second": statistics.median(whole),
        "ingest_over_bare": statistics.median(w / b for w, b in zip(whole, bare, strict=True)),
        "vectors_across_languages_seconds": statistics.median(across),
        "reingest_unchanged_seconds": statistics.median(again),
    }


async def waits(service: Service, questions: list[str], *, compose: bool) -> tuple[list[float], Counter[str]]:
    """Seconds to the first words of each answer that is not declined, and what was decided."""
    first, actions = [], Counter[str]()
    for text in questions:
        started = time.perf_counter()
        seen = None
        async with aclosing(service.stream(Question(text=text, compose=compose))) as deltas:
            async for delta in deltas:
                seen = seen or (time.perf_counter() - started if delta.text else None)
                if delta.answer is not None:
                    actions[delta.answer.action.value] += 1
                    if delta.answer.action.value != "decline" and seen is not None:
                        first.append(seen)
    return first, actions


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    settings = CustomerServiceSettings()
    result: dict[str, object] = dict(ingest(arguments.data, settings, arguments.rounds))
    with (arguments.data / "customer_service/banking77_train.csv").open(encoding="utf-8", newline="") as file:
        asked = [row["text"] for row in csv.DictReader(file)]
    step = max(1, len(asked) // arguments.questions)
    asked = asked[::step][: arguments.questions]
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "models").symlink_to(CoreSettings().models_folder)
        service = build_service(settings.model_copy(update={"home": Path(home)}))
        try:
            service.ingest([arguments.data / "customer_service/bank_kb.jsonl"])
            asyncio.run(waits(service, asked[:5], compose=False))
            quoted, actions = asyncio.run(waits(service, asked, compose=False))
            try:
                written, composed = asyncio.run(waits(service, asked[: max(20, len(asked) // 5)], compose=True))
            except SuiteError as error:
                print(error)
                written, composed = [], Counter()
        finally:
            service.close()
    result |= {
        "questions": len(asked),
        "quoted_answer_p50_ms": statistics.median(quoted) * 1000,
        "quoted_answer_p95_ms": sorted(quoted)[int(0.95 * len(quoted))] * 1000,
        "actions": dict(actions),
        "first_token_p50_ms": statistics.median(written) * 1000 if written else None,
        "actions_composed": dict(composed),
    }
    for key, value in result.items():
        print(f"{key:36s} {value:.4g}" if isinstance(value, float) else f"{key:36s} {value}")
    if arguments.write:
        write("bot", result, data="698 documents of a bank's knowledge base, Banking77 questions")
    else:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
