"""Fine-tuning a decoder on dialogues: it learns what the assistant says, and nothing of what it is told.

Knows dialogues and the causal language model; nothing of files. The trained folder is a Hugging Face folder with its
chat template and generation settings, which `core.export.decoder` exports as any other decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from core.backends.chat import CHATML, ChatTemplate
from core.backends.headed import BACKBONE
from core.errors import InputError
from core.finetune.args import LoraArgs, TrainArgs
from core.finetune.backbone import Backbone, adapt, check_length, freeze, merge, open_backbone
from core.finetune.causal import CausalModel, collate_causal, mean_loss, pack, perplexity
from core.finetune.chat_rows import chat_rows
from core.finetune.data.examples import Dialogue
from core.finetune.trainer import Batch, Job, Outcome, train
from core.models.task import TaskConfig
from core.progress import Report, quiet


class ChatArgs(TrainArgs):
    """Options of `triptych finetune chat`."""

    backbone: str = "smollm2"
    """Catalog name, a local Hugging Face folder of a decoder, or a trained chat model's folder."""

    max_tokens: int = Field(512, ge=16, le=32_768)
    """Tokens of a row at most, template included. Longer dialogues lose their oldest turns."""

    epochs: float = Field(3.0, gt=0, le=1000)
    """Passes over the training rows."""

    batch_size: int = Field(8, ge=1, le=65_536)
    """Rows of one forward pass; a packed row holds several dialogues."""

    learning_rate: float = Field(5e-4, gt=0, le=10)
    """Peak rate. 2e-4 to 1e-3 for adapters; 1e-5 to 5e-5 if `lora.rank` is 0 and all weights learn."""

    lora: LoraArgs = LoraArgs(rank=16, alpha=32)
    """Adapters, merged into the weights when saved; `rank` 0 trains the weights themselves."""

    packing: bool = True
    """Put short dialogues together into rows of up to `max_tokens`; they do not see each other."""

    loss_on: Literal["all", "last"] = "all"
    """Learn every answer of the assistant, or only the last one of each dialogue."""

    system: str = Field("", max_length=8000)
    """System text of dialogues that bring none; empty leaves it to the chat template."""


@dataclass(frozen=True, slots=True)
class FittedChat:
    """A trained causal language model."""

    model: Any
    """A `transformers.PreTrainedModel` with its language-model head, in evaluation mode, adapters merged."""
    backbone: Backbone
    outcome: Outcome
    figures: Mapping[str, Any]
    """Of the held-out dialogues: loss (nats a token), perplexity, tokens."""
    config: TaskConfig
    notes: tuple[str, ...] = field(default=())

    def save(self, folder: Path) -> None:
        """Write `backbone/` (weights, tokenizer, chat template, generation settings) and `task.json`."""
        if not self.backbone.tokenizer.chat_template:
            self.backbone.tokenizer.chat_template = CHATML
        save_causal(self.model, self.backbone, folder)
        self.config.save(folder)


def fit(
    rows: Sequence[Dialogue],
    held: Sequence[Dialogue],
    args: ChatArgs,
    *,
    cache: Path,
    folder: Path | None = None,
    progress: Report = quiet,
) -> FittedChat:
    """Train a decoder.

    :param rows: dialogues, each ending with an answer.
    :param held: held-out dialogues for choosing the best weights; may be empty.
    :param cache: where converted backbones are kept.
    :param folder: run folder; see `core.finetune.trainer.train`.
    :raises InputError: if there are no rows, the backbone is an encoder, turns are out of order, or nothing fits.
    """
    if not rows:
        raise InputError("There are no dialogues to train on.")
    torch.manual_seed(args.seed)  # weights that the file lacks are drawn while it is opened
    backbone = open_backbone(args.backbone, cache, causal=True)
    limit = check_length(args, backbone)
    template = chat_template(backbone)
    made = chat_rows(rows, template, backbone.tokenizer, limit, learn=args.loss_on, system=args.system)
    tests = chat_rows(held, template, backbone.tokenizer, limit, learn=args.loss_on, system=args.system)
    if not made.rows:
        raise InputError(f"None of the {len(rows)} dialogues fits into {limit} tokens; raise max_tokens.")
    data = pack(made.rows, limit) if args.packing else list(made.rows)
    pad_id = int(backbone.tokenizer.pad_token_id)
    freeze(backbone.model, args.freeze)
    model = CausalModel(adapt(backbone.model, args.lora, causal=True))

    def collate(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        return collate_causal([data[i] for i in chosen], pad_id)

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        found: torch.Tensor = module(**batch)
        return found.mean()

    def evaluator() -> Mapping[str, float]:
        loss = mean_loss(model, tests.rows, pad_id)
        return {"loss": loss, "perplexity": perplexity(loss), "score": -loss}

    job = Job(
        model=model,
        rows=range(len(data)),
        lengths=[len(row.ids) for row in data],
        collate=collate,
        objective=objective,
        evaluator=evaluator if tests.rows else None,
    )
    outcome = train(job, args, folder, progress=progress)
    plain = merge(model.backbone).eval()
    config = TaskConfig("chat", "decoder", "last", limit, languages=backbone.languages)
    figures: dict[str, Any] = dict(outcome.figures)
    if tests.rows:
        figures["tokens"] = sum(row.learned for row in tests.rows)
    notes = made.notes("training", limit) + tests.notes("held-out", limit)
    if args.packing and len(data) < len(made.rows):
        notes += (f"{len(made.rows)} dialogues were packed into {len(data)} rows of up to {limit} tokens.",)
    return FittedChat(plain, replace(backbone, model=plain), outcome, figures, config, notes)


def chat_template(backbone: Backbone) -> ChatTemplate:
    """The template that serving will use: the folder's own, or ChatML where the tokenizer knows it.

    :raises ModelError: if there is neither.
    """
    return ChatTemplate.from_folder(backbone.folder)


def save_causal(model: Any, backbone: Backbone, folder: Path) -> None:
    """Write `backbone/`: weights (tied ones once), tokenizer, chat template, generation settings."""
    target = folder / BACKBONE
    target.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(target)
    backbone.tokenizer.save_pretrained(target)
