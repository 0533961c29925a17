"""The machine under a training: device, arithmetic, seeds, threads, and what to say when memory runs out.

Knows torch; nothing of models or rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from core.errors import ProviderUnavailable, SuiteError
from core.finetune.args import TrainArgs


class Diverged(SuiteError):
    """The loss is no number any more."""

    title = "Training diverged"


class OutOfMemory(SuiteError):
    """A batch does not fit."""

    title = "Out of memory"


def pick_precision(args: TrainArgs, cuda: bool) -> str:
    """The arithmetic in force: "fp32", "bf16" or "fp16".

    :raises ProviderUnavailable: if fp16 was asked for on a CPU.
    """
    if args.precision == "fp16" and not cuda:
        raise ProviderUnavailable("precision = 'fp16' trains on CUDA only; use 'auto', 'bf16' or 'fp32'.")
    if args.precision != "auto":
        return args.precision
    fast = torch.cuda.is_bf16_supported() if cuda else _cpu_has_bf16()
    return "bf16" if fast else "fp32"


def pick_device(args: TrainArgs) -> str:
    """ "cpu" or "cuda".

    :raises ProviderUnavailable: if CUDA was asked for and there is none.
    """
    there = torch.cuda.is_available()
    if args.device == "cuda" and not there:
        raise ProviderUnavailable("device = 'cuda' was asked for, but this torch sees no CUDA device.")
    return "cuda" if there and args.device != "cpu" else "cpu"


@contextmanager
def repeatable(args: TrainArgs) -> Iterator[None]:
    """Seeds, threads and deterministic kernels for the time of a training."""
    from transformers import set_seed

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(args.seed)
    np.random.seed(args.seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


@contextmanager
def explained(args: TrainArgs) -> Iterator[None]:
    """Turn what torch says of memory into a message with the fix."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        words = str(error).lower()
        known = any(said in words for said in ("out of memory", "can't allocate", "cannot allocate"))
        if isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError) and not known:
            raise
        half = max(1, args.batch_size // 2)
        raise OutOfMemory(
            f"A batch of {args.batch_size} rows of up to {args.max_tokens} tokens does not fit into memory. Set "
            f"batch_size = {half} and gradient_accumulation = {args.gradient_accumulation * 2} for the same updates, "
            "or lower max_tokens. Training begins anew with these options."
        ) from error


def _cpu_has_bf16() -> bool:
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)
