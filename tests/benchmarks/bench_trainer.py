"""What the trainer costs beside a bare PyTorch loop that does the same work, and ends with the same weights.

    python -m tests.benchmarks.bench_trainer [--updates 40] [--rounds 3] [--threads 2]

Rounds alternate and the best one counts. The loop has what a careful person would write by hand: the same batches,
AdamW with the same groups, clipping, a linear schedule, the same arithmetic. The trainer beside it also logs, watches
for NaN, draws progress, and in its third column writes checkpoints twice and evaluates once.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from core.backends.headed import HeadedModel
from core.finetune.args import TrainArgs
from core.finetune.backbone import open_backbone
from core.finetune.batches import Batches
from core.finetune.hardware import pick_precision
from core.finetune.losses import total_loss
from core.finetune.optimize import build_optimizer
from core.finetune.tokens import pad_rows, token_rows
from core.finetune.trainer import Job, train
from core.models.task import Head, TaskConfig
from core.settings import CoreSettings
from tests.benchmarks._results import table, write

WORDS = [
    *("card", "fee", "transfer", "account", "pin", "branch", "loan", "rate", "euro", "dollar", "lost", "new", "old"),
    *("blocked", "charged", "twice", "never", "online", "app", "statement", "cash", "machine", "limit", "order"),
    *("close", "open", "refund", "exchange", "travel", "abroad", "received", "pending", "declined", "identity"),
]
LABELS = tuple(f"intent {i}" for i in range(20))


def main() -> None:
    """Measure and write `results/trainer.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    args = TrainArgs(batch_size=32, max_steps=given.updates, threads=given.threads, max_tokens=64, track=())
    torch.set_num_threads(given.threads)
    chosen = random.Random(0)
    texts = [" ".join(chosen.choices(WORDS, k=chosen.randint(6, 30))) for _ in range(32 * given.updates)]
    classes = [chosen.randrange(len(LABELS)) for _ in texts]
    best = dict.fromkeys(("loop", "trainer", "trainer, checkpoints and evaluation"), float("inf"))
    weights: dict[str, Any] = {}
    for _ in range(given.rounds):
        for name in best:
            start, found = run(name, args, texts, classes)
            best[name] = min(best[name], start)
            weights[name] = found
    same = all(torch.equal(weights["loop"], other) for other in weights.values())
    loop = best["loop"]
    rows = [
        {"what": name, "seconds": s, "rows a second": len(texts) / s, "overhead": s / loop - 1}
        for name, s in best.items()
    ]
    print(table(rows))
    figures = {
        "overhead": best["trainer"] / loop - 1,
        "overhead_with_checkpoints": best["trainer, checkpoints and evaluation"] / loop - 1,
        "same_weights": same,
        "updates": given.updates,
        "rows_per_second": len(texts) / best["trainer"],
        "precision": pick_precision(args, cuda=False),
    }
    write("trainer", figures, data="made-up English texts of 6 to 30 words, batch 32, 20 labels, MiniLM")


def run(name: str, args: TrainArgs, texts: list[str], classes: list[int]) -> tuple[float, torch.Tensor]:
    """Seconds of one training, and a weight matrix it ended with."""
    torch.manual_seed(0)
    backbone = open_backbone("minilm", CoreSettings().home / "cache")
    head = Head("label", "single", LABELS)
    model = HeadedModel(backbone.model, TaskConfig("classifier", "encoder", "mean", 64, (head,)))
    data = token_rows(backbone.tokenizer, texts, 64)
    wanted = torch.tensor(classes)
    pad_id = int(backbone.tokenizer.pad_token_id)

    def collate(rows: Any) -> dict[str, torch.Tensor]:
        return {**pad_rows([data[i] for i in rows], pad_id), "wanted": wanted[list(rows)]}

    def loss_of(module: Any, batch: Any) -> torch.Tensor:
        logits = module(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return total_loss((head,), logits, {"label": batch["wanted"]})

    lengths = [len(row["input_ids"]) for row in data]
    start = time.perf_counter()
    if name == "loop":
        bare_loop(model, Batches(lengths, args.batch_size, args.seed), collate, loss_of, args)
    else:
        evaluated = name != "trainer"
        job = Job(model, range(len(data)), lengths, collate, loss_of, (lambda: {"score": 0.0}) if evaluated else None)
        with tempfile.TemporaryDirectory() as folder:
            chosen = args.model_copy(
                update={"keep_best": False, "checkpoint_every": args.max_steps // 2, "evaluate_every": args.max_steps}
            )
            train(job, chosen if evaluated else args, Path(folder) if evaluated else None)
    seconds = time.perf_counter() - start
    return seconds, next(p for n, p in model.named_parameters() if n.endswith("query.weight")).detach().clone()


def bare_loop(model: Any, batches: Batches, collate: Any, loss_of: Any, args: TrainArgs) -> None:
    """The same work by hand."""
    from transformers import get_linear_schedule_with_warmup, set_seed

    set_seed(args.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    optimizer = build_optimizer(model, args)
    warmup = -(-args.max_steps // 10)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, args.max_steps)
    half = pick_precision(args, cuda=False) == "bf16"
    model.train()
    loader: Any = torch.utils.data.DataLoader(range(len(batches.lengths)), batch_sampler=batches, collate_fn=collate)
    for batch in loader:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    torch.use_deterministic_algorithms(False)


if __name__ == "__main__":
    main()
