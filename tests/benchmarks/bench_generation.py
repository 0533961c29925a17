"""How fast the embedded decoder writes: bare runtime, through the worker, and transformers in float32.

    python -m tests.benchmarks.bench_generation [--precision int4] [--work DIR] [--threads 2] [--write]

Needs the extra `train` and no data. Runs alternate, and those during which other processes were busy do not count
(a spinning thread pool that is interrupted loses ten times what it was robbed of); rates are medians.
Prints a table, then one JSON object on the last line; `--write` keeps it as `results/generation.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
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
from tests.benchmarks._results import write

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
QUIET = 0.08
"""Share of the machine that other processes may take during a run that counts."""


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
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()

    def run(ids: list[int], tokens: int) -> tuple[int, float]:
        tensor = torch.tensor([ids])
        began = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(tensor, max_new_tokens=tokens, do_sample=False, attention_mask=torch.ones_like(tensor))
        return int(out.shape[1]) - len(ids), time.perf_counter() - began

    return run


class Meter:
    """Rates by name; a run counts only while other processes leave the machine alone.

    :param rounds: quiet runs wanted of each name.
    :param patience: seconds after which all runs count, quiet or not.
    """

    def __init__(self, rounds: int, patience: float) -> None:
        self.rounds = rounds
        self._until = time.monotonic() + patience
        self._quiet: dict[str, list[float]] = {}
        self._all: dict[str, list[float]] = {}

    @property
    def quiet(self) -> bool:
        """Whether every name has enough quiet runs."""
        return all(len(self._quiet.get(name, [])) >= self.rounds for name in self._all)

    def wants_more(self) -> bool:
        """Whether another round makes sense."""
        return not self._all or (not self.quiet and time.monotonic() < self._until)

    def run(self, name: str, work: Callable[[], tuple[int, float]]) -> None:
        """One run of tokens and seconds, begun when the machine is quiet or patience is at its end."""
        while time.monotonic() < self._until:
            busy = _ticks()
            time.sleep(0.4)
            if (_ticks() - busy) / (0.4 * (os.cpu_count() or 1)) < 2 * QUIET:
                break
        busy, own = _ticks(), time.process_time()
        count, seconds = work()
        others = (_ticks() - busy) - (time.process_time() - own)
        self._all.setdefault(name, []).append(count / seconds)
        if others / (seconds * (os.cpu_count() or 1)) < QUIET:
            self._quiet.setdefault(name, []).append(count / seconds)

    def medians(self) -> dict[str, float]:
        """Median tokens per second by name."""
        return {
            name: statistics.median(self._quiet.get(name, []) if len(self._quiet.get(name, [])) >= 3 else values)
            for name, values in self._all.items()
        }


def _ticks() -> float:
    """Seconds that all processes of this machine have computed."""
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def measure(precision: str, work: Path, threads: int, rounds: int, tokens: int, patience: float) -> dict[str, Any]:
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
    reference = transformers_loop(hf_folder(source, work), threads)
    text = generator.encode(PASSAGE * 12)
    meter = Meter(rounds, patience)
    with GenerationWorker(generator) as worker, asyncio.Runner() as runner:
        while meter.wants_more():
            meter.run("bare", lambda: bare(generator, ids, tokens))
            meter.run("served", lambda: runner.run(served(worker, messages, tokens)))
            meter.run("transformers", lambda: reference(ids, tokens))
            for length in LENGTHS:
                meter.run(f"prefill {length}", lambda n=length: (n, first_token(generator, text[:n])))  # type: ignore[misc]
    middle = meter.medians()
    prefill = {length: middle[f"prefill {length}"] for length in LENGTHS}
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
        "quiet": meter.quiet,
        "rounds": meter.rounds,
        "first_token_p50_seconds": {str(n): round(n / rate, 3) for n, rate in prefill.items()},
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to wait for quiet rounds")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    result = measure(options.precision, options.work, options.threads, options.rounds, options.tokens, options.patience)
    for key, value in result.items():
        print(f"{key:40} {value}")
    if options.write:
        name = "generation" if options.precision == "int4" else f"generation-{options.precision}"
        write(name, result, data="one grounded question with a passage written for this benchmark")
    else:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
