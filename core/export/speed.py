"""How fast is an export beside torch? Latency and throughput by batch and length, as rows, JSON and a picture.

Knows functions from texts to anything; opens torch models only where asked for one. Systems take turns, so that other
work on the machine slows all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError, ProviderUnavailable

System = Callable[[Sequence[str]], object]
"""Does the whole work on a batch of texts: tokens, forward pass, result in main memory."""

_WARM = 2


@dataclass(frozen=True, slots=True)
class Speed:
    """One system on one kind of batch."""

    system: str
    texts: str
    """ "short" or "long", as the caller named them."""
    batch: int
    p50_ms: float
    """Median time of a batch, in milliseconds."""
    p95_ms: float
    per_second: float
    """Texts a second at the median."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def race(
    systems: Mapping[str, System],
    texts: Mapping[str, Sequence[str]],
    *,
    batches: Sequence[int] = (1, 32),
    rounds: int = 20,
    seconds: float = 30.0,
) -> list[Speed]:
    """Time every system on every size of batch and kind of text.

    :param systems: by name.
    :param texts: by kind, as "short" and "long"; a batch takes the next ones in turn.
    :param rounds: batches timed for each; p95 of 20 is the second slowest.
    :param seconds: of one size and kind at most, all systems together; at least three rounds are run.
    :raises InputError: if there are no systems or texts.
    """
    if not systems or not texts or not all(texts.values()):
        raise InputError("a race needs systems and texts")
    found = []
    for kind, several in texts.items():
        for batch in batches:
            asked = [[several[(i * batch + k) % len(several)] for k in range(batch)] for i in range(rounds)]
            for system in systems.values():
                for i in range(_WARM):
                    system(asked[i % rounds])
            spent: dict[str, list[float]] = {name: [] for name in systems}
            end = time.perf_counter() + seconds
            for i, chosen in enumerate(asked):
                if i >= 3 and time.perf_counter() > end:
                    break
                for name, system in systems.items():
                    begun = time.perf_counter()
                    system(chosen)
                    spent[name].append(time.perf_counter() - begun)
            found += [_speed(name, kind, batch, times) for name, times in spent.items()]
    return found


def _speed(name: str, kind: str, batch: int, times: Sequence[float]) -> Speed:
    middle, slow = (float(np.percentile(times, q)) for q in (50, 95))
    return Speed(name, kind, batch, round(1000 * middle, 3), round(1000 * slow, 3), round(batch / middle, 1))


def torch_heads(folder: Path, *, device: str = "cpu", half: bool = False, compiled: bool = False) -> System:
    """A trained folder on torch: texts to logits in main memory.

    :param half: weights and arithmetic in fp16.
    :param compiled: through `torch.compile` with dynamic shapes; the first batches take a minute.
    :raises ProviderUnavailable: if CUDA was asked for and torch has none.
    """
    import torch
    from transformers import AutoTokenizer

    from core.backends.headed import BACKBONE, HeadedModel

    check_device(device)
    model: Any = HeadedModel.load(folder, dtype=torch.float16 if half else torch.float32).to(device)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder / BACKBONE), local_files_only=True)
    limit = model.task.max_tokens
    run: Any = torch.compile(model, dynamic=True) if compiled else model

    def system(texts: Sequence[str]) -> object:
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
        with torch.inference_mode():
            found = run(batch["input_ids"], batch["attention_mask"])
        return {name: rows.float().cpu().numpy() for name, rows in found.items()}

    return system


def check_device(device: str) -> None:
    """:raises ProviderUnavailable: if CUDA was asked for and torch has none."""
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise ProviderUnavailable(f"{device} was asked for, but this torch finds no GPU; check `nvidia-smi`.")


def decoder_speed(folder: Path, prompts: Sequence[str], *, provider: str, tokens: int = 64, threads: int = 2) -> float:
    """Tokens a second of an exported decoder, all prompts in one batch, greedy, the reading of the prompts not counted.

    :param folder: what `core.export.decoder.export_decoder` wrote.
    :param prompts: the batch; cut to the shortest in tokens, so that none is padded.
    :param provider: "cpu" or "cuda".
    """
    from core.backends.genai import GenaiGenerator, runtime

    generator = GenaiGenerator(folder, name="export", provider=provider, threads=threads)  # type: ignore[arg-type]
    rows = [generator.encode(prompt) for prompt in prompts]
    width = min(len(row) for row in rows)
    ids = np.asarray([row[:width] for row in rows], dtype=np.int32)
    og = runtime()
    times = []
    for _ in range(2):  # the first one records graphs and fills caches
        params = og.GeneratorParams(generator._model)
        params.set_search_options(
            do_sample=False, batch_size=len(prompts), max_length=width + tokens + 1, min_length=width + tokens + 1
        )
        stream = og.Generator(generator._model, params)
        stream.append_tokens(ids)
        stream.generate_next_token()
        begun = time.perf_counter()
        for _ in range(tokens - 1):
            stream.generate_next_token()
        times.append(time.perf_counter() - begun)
    return round(len(prompts) * (tokens - 1) / min(times), 1)


def picture(rows: Sequence[Speed], path: Path, *, title: str, losses: Mapping[str, float] | None = None) -> None:
    """Texts a second by system, one panel for each kind of batch, as PNG.

    :param losses: accuracy by system, written behind its name.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((row.texts, row.batch) for row in rows))
    names = list(dict.fromkeys(row.system for row in rows))
    labels = [f"{name}\naccuracy {losses[name]:.4f}" if losses and name in losses else name for name in names]
    figure = Figure(figsize=(3.2 * len(panels) + 1.5, 0.55 * len(names) + 1.6), layout="constrained")
    figure.suptitle(title)
    for i, (kind, batch) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        found = {row.system: row for row in rows if (row.texts, row.batch) == (kind, batch)}
        values = [found[name].per_second if name in found else 0.0 for name in names]
        bars = axes.barh(range(len(names)), values, color="#4269d0")
        told = [f"{found[name].per_second:,.0f}" if name in found else "" for name in names]
        axes.bar_label(bars, told, padding=3, fontsize=8)
        axes.set_yticks(range(len(names)), labels if i == 0 else [""] * len(names), fontsize=8)
        axes.set_title(f"{kind}, batch {batch}", fontsize=9)
        axes.set_xlabel("texts a second", fontsize=8)
        axes.margins(x=0.2)
        axes.invert_yaxis()
    figure.savefig(path, dpi=130)
