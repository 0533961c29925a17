"""How fast the embedded decoder writes: bare runtime, through the worker, and transformers in float32.

    python -m tests.benchmarks.bench_generation [--precision int4] [--work DIR] [--threads 2] [--write]

Needs the extra `train` and no data. Rounds alternate, so that a busy machine slows all alike; rates are medians.
Prints a table, then one JSON object on the last line; `--write` keeps it as `results/generation.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.backends.base import Sampling
from core.backends.decoding import LocalGenerator
from core.backends.genai import GenaiGenerator
from core.export.decoder import decoder_parity, export_decoder, hf_folder
from core.generate.templates import grounded
from core.generate.worker import GenerationWorker
from core.models.catalog import find
from core.types import Message

PASSAGE = (
    "Northwind Savings: closing an account. You can close a savings account at any time in the mobile application, "
    "by post or at a branch. If the account is closed within 90 days of opening, an early closure fee of $50 is taken "
    "from the balance. After 90 days there is no fee. Interest is paid up to the day before closing. "
)
QUESTION = "Explain step by step how I close my savings account, what it costs and what happens to the interest."
PARITY = (
    "What is the capital of France?",
    "How do I reset my password?",
    "List three fruits.",
    f"{PASSAGE}\nQuestion: What is the early closure fee?",
    f"{PASSAGE}\nQuestion: Is there a fee after 90 days?",
)
LENGTHS = (64, 128, 256, 384, 512)
FIRST_TOKEN = 1.2
"""Seconds within which the first token of a grounded answer is wanted."""


def resident_megabytes() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def bare(generator: GenaiGenerator, ids: list[int], tokens: int) -> tuple[int, float]:
    """A plain onnxruntime-genai loop on the same ids: tokens and seconds."""
    og, model = generator._og, generator._model
    began = time.perf_counter()
    params = og.GeneratorParams(model)
    params.set_search_options(max_length=len(ids) + tokens, do_sample=False)
    loop = og.Generator(model, params)
    loop.append_tokens(np.asarray(ids, dtype=np.int32))
    text = generator._tokenizer.create_stream()
    count = 0
    while not loop.is_done():
        loop.generate_next_token()
        text.decode(loop.get_next_tokens()[0])
        count += 1
    return count, time.perf_counter() - began


async def served(worker: GenerationWorker, messages: list[Message], tokens: int) -> tuple[int, float]:
    """The same through worker and event loop."""
    began = time.perf_counter()
    done = await worker.complete(messages, Sampling(max_tokens=tokens))
    return done.usage.completion_tokens, time.perf_counter() - began


def first_token(generator: LocalGenerator, ids: list[int]) -> float:
    """Seconds from prompt ids to the first token."""
    began = time.perf_counter()
    generator.greedy(ids, 1)
    return time.perf_counter() - began


def transformers_loop(folder: Path, threads: int) -> Callable[[list[int], int], tuple[int, float]]:
    """`generate` of transformers in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def run(ids: list[int], tokens: int) -> tuple[int, float]:
        tensor = torch.tensor([ids])
        began = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(tensor, max_new_tokens=tokens, do_sample=False, attention_mask=torch.ones_like(tensor))
        return int(out.shape[1]) - len(ids), time.perf_counter() - began

    return run


def measure(precision: str, work: Path, threads: int, rounds: int, tokens: int) -> dict[str, Any]:
    """All figures for one precision."""
    source = find("smollm2").folder
    out = work / f"smollm2-{precision}"
    if not out.exists():
        export_decoder(source, out, precision=precision, provider="cpu", name="smollm2", cache=work)  # type: ignore[arg-type]
    before = resident_megabytes()
    began = time.perf_counter()
    generator = GenaiGenerator(out, name=f"smollm2-{precision}", threads=threads)
    load_seconds = time.perf_counter() - began
    loaded = resident_megabytes()
    messages = grounded(QUESTION, [PASSAGE])
    ids = generator.encode(generator.template.render(messages))
    bare(generator, ids, tokens)
    after = resident_megabytes()
    rates: dict[str, list[float]] = {"bare": [], "served": [], "transformers": []}
    reference = transformers_loop(hf_folder(source, work), threads)
    text = generator.encode(PASSAGE * 12)
    firsts: dict[int, list[float]] = {length: [] for length in LENGTHS}

    async def run() -> None:
        with GenerationWorker(generator) as worker:
            for number in range(rounds):
                for name in ("bare", "served") if number % 2 else ("served", "bare"):
                    if name == "bare":
                        count, seconds = bare(generator, ids, tokens)
                    else:
                        count, seconds = await served(worker, messages, tokens)
                    rates[name].append(count / seconds)
                for length in LENGTHS:
                    firsts[length].append(first_token(generator, text[:length]))
                if number < max(2, rounds // 3):
                    count, seconds = reference(ids, tokens)
                    rates["transformers"].append(count / seconds)

    asyncio.run(run())
    middle = {name: statistics.median(values) for name, values in rates.items()}
    prefill = {length: length / statistics.median(values) for length, values in firsts.items()}
    parity = decoder_parity(hf_folder(source, work), out, PARITY, tokens=24, threads=threads)
    return {
        "precision": precision,
        "prompt_tokens": len(ids),
        "completion_tokens": tokens,
        "bare_tokens_per_second": round(middle["bare"], 1),
        "served_tokens_per_second": round(middle["served"], 1),
        "transformers_fp32_tokens_per_second": round(middle["transformers"], 1),
        "served_of_bare": round(middle["served"] / middle["bare"], 3),
        "served_over_transformers": round(middle["served"] / middle["transformers"], 2),
        "first_token_p50_seconds": {str(n): round(statistics.median(v), 3) for n, v in firsts.items()},
        "prefill_tokens_per_second": {str(n): round(v) for n, v in prefill.items()},
        "prompt_tokens_within_first_token_goal": int(prefill[384] * FIRST_TOKEN),
        "load_seconds": round(load_seconds, 2),
        "resident_megabytes": {"before": round(before), "loaded": round(loaded), "after_first_answer": round(after)},
        "parity": parity,
    }


def main() -> None:
    """Measure, print, and keep the result if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", default="int4", help="int4, int8 or fp32")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "triptych-bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    result = measure(options.precision, options.work, options.threads, options.rounds, options.tokens)
    for key, value in result.items():
        print(f"{key:40} {value}")
    if options.write:
        keep(f"generation-{options.precision}" if options.precision != "int4" else "generation", result)
    print(json.dumps(result))


def keep(name: str, result: dict[str, Any]) -> None:
    """Write the result with hardware, command and commit."""
    command = "python -m tests.benchmarks.bench_generation " + " ".join(sys.argv[1:])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    hardware = (
        f"{platform.processor() or platform.machine()}, {len(sorted(__import__('os').sched_getaffinity(0)))} cores"
    )
    data = {"command": command, "hardware": hardware, "commit": commit.stdout.strip(), "result": result}
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
