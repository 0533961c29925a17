"""Self-supervised training on plain text: a backbone gets used to a domain before it learns a task there.

    clm          next word            decoders   packed blocks
    mlm          hidden whole words   encoders   Devlin et al. 2019
    denoising    the text from the vector of two fifths of its words      encoders   Wang et al. 2021 (TSDAE)
    contrastive  the same text under another dropout, among others        encoders   Gao et al. 2021 (SimCSE)

Knows texts and objectives; nothing of files. The trained folder holds the backbone alone, to be opened for another
task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from core.errors import InputError
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone, adapt, check_length, freeze, merge, open_backbone
from core.finetune.causal import CausalModel, collate_causal, mean_loss, perplexity
from core.finetune.data.examples import Plain
from core.finetune.pretrain_models import DenoisingModel, MaskedModel, TwinModel
from core.finetune.pretrain_rows import (
    HELD_OUT,
    TextRow,
    Vocabulary,
    causal_rows,
    deleted,
    masked,
    plain_batch,
    text_rows,
    with_targets,
)
from core.finetune.pretrain_save import save_pretrained
from core.finetune.trainer import Batch, Job, Outcome, train
from core.models.task import TaskConfig
from core.progress import Report, quiet

Objective = Literal["clm", "mlm", "denoising", "contrastive"]
Tensors = dict[str, torch.Tensor]


class PretrainArgs(TrainArgs):
    """Options of `triptych finetune pretrain`."""

    objective: Literal["auto", "clm", "mlm", "denoising", "contrastive"] = "auto"
    """What is learned; `auto` is clm for decoders and mlm for encoders. For better sentence vectors: denoising,
    contrastive."""

    mask_share: float = Field(0.15, gt=0, lt=1)
    """mlm: share of the tokens that is hidden, in whole words (Devlin et al. 2019)."""

    delete_share: float = Field(0.6, gt=0, lt=1)
    """denoising: share of the words that is deleted (Wang et al. 2021)."""

    temperature: float = Field(0.05, gt=0, le=10)
    """contrastive: cosines are divided by it (Gao et al. 2021)."""

    epochs: float = Field(3.0, gt=0, le=1000)
    """Passes over the texts; contrastive needs one."""


@dataclass(frozen=True, slots=True)
class FittedPretrain:
    """A backbone that has read."""

    model: Any
    """A `transformers.PreTrainedModel`, with its language-model head for "clm"; adapters merged, evaluation mode."""
    backbone: Backbone
    outcome: Outcome
    figures: Mapping[str, Any]
    """Of the held-out texts: loss (nats), perplexity where words are said."""
    config: TaskConfig
    notes: tuple[str, ...] = field(default=())

    def save(self, folder: Path) -> None:
        """Write `backbone/`, with the pooling files that came with it, and `task.json`."""
        save_pretrained(self.model, self.backbone, folder)
        self.config.save(folder)


@dataclass(frozen=True, slots=True)
class _Plan:
    """An objective over certain rows."""

    model: nn.Module
    lengths: list[int]
    collate: Callable[[Sequence[int], int], Tensors]
    """Batch of training rows in an epoch."""
    measure: Callable[[], float] | None
    """Loss of the held-out rows."""
    says_words: bool


def fit(
    rows: Sequence[Plain],
    held: Sequence[Plain],
    args: PretrainArgs,
    *,
    cache: Path,
    folder: Path | None = None,
    progress: Report = quiet,
) -> FittedPretrain:
    """Train a backbone on texts.

    :param held: held-out texts for choosing the best weights; may be empty.
    :param cache: where converted backbones are kept.
    :param folder: run folder; see `core.finetune.trainer.train`.
    :raises InputError: if there are no texts, or the objective does not fit the backbone.
    """
    if not rows:
        raise InputError("There are no texts to train on.")
    torch.manual_seed(args.seed)  # weights that the file lacks, as a pooler, are drawn while it is opened
    backbone, objective = _opened(args, cache)
    limit = check_length(args, backbone)
    freeze(backbone.model, args.freeze)
    make = _causal_plan if objective == "clm" else _encoder_plan
    plan = make([r.text for r in rows], [r.text for r in held], backbone, objective, limit, args)
    epoch = 0

    def starts_epoch(number: int) -> None:
        nonlocal epoch
        epoch = number

    def loss(module: nn.Module, batch: Batch) -> torch.Tensor:
        found: torch.Tensor = module(**batch)
        return found.mean()

    def evaluator() -> Mapping[str, float]:
        found = plan.measure() if plan.measure else 0.0
        return {"loss": found, "score": -found} | ({"perplexity": perplexity(found)} if plan.says_words else {})

    job = Job(
        model=plan.model,
        rows=range(len(plan.lengths)),
        lengths=plan.lengths,
        collate=lambda chosen: plan.collate(chosen, epoch),
        objective=loss,
        evaluator=evaluator if plan.measure else None,
        starts_epoch=starts_epoch,
    )
    outcome = train(job, args, folder, progress=progress)
    plain = merge(plan.model.backbone).eval()
    config = TaskConfig(
        "pretrain",
        backbone.architecture,
        backbone.pooling,
        limit,
        languages=backbone.languages,
        extra={"objective": objective},
    )
    notes = (f"{len(rows)} texts gave {len(plan.lengths)} rows of up to {limit} tokens.",)
    return FittedPretrain(plain, replace(backbone, model=plain), outcome, dict(outcome.figures), config, notes)


def _opened(args: PretrainArgs, cache: Path) -> tuple[Backbone, Objective]:
    if args.objective == "clm":
        return open_backbone(args.backbone, cache, causal=True), "clm"
    backbone = open_backbone(args.backbone, cache, pooling=args.pooling)
    decoder = backbone.architecture == "decoder"
    objective: Objective = ("clm" if decoder else "mlm") if args.objective == "auto" else args.objective
    if decoder and objective != "clm":
        raise InputError(f"objective = {objective!r} is for encoders, {args.backbone!r} is a decoder; take 'clm'.")
    if objective == "clm":
        return open_backbone(args.backbone, cache, causal=True), objective
    if objective == "mlm" and backbone.tokenizer.mask_token_id is None:
        raise InputError(f"{args.backbone!r} has no mask token; take objective = 'denoising' or 'contrastive'.")
    return backbone, objective


def _causal_plan(
    texts: Sequence[str], held: Sequence[str], backbone: Backbone, _: Objective, limit: int, args: PretrainArgs
) -> _Plan:
    data = causal_rows(backbone.tokenizer, texts, limit)
    tests = causal_rows(backbone.tokenizer, held, limit)
    pad_id = int(backbone.tokenizer.pad_token_id)
    model = CausalModel(adapt(backbone.model, args.lora, causal=True))
    return _Plan(
        model,
        [len(row.ids) for row in data],
        lambda chosen, _: collate_causal([data[i] for i in chosen], pad_id),
        (lambda: mean_loss(model, tests, pad_id)) if tests else None,
        says_words=True,
    )


def _encoder_plan(
    texts: Sequence[str], held: Sequence[str], backbone: Backbone, objective: Objective, limit: int, args: PretrainArgs
) -> _Plan:
    data, tests = (text_rows(backbone.tokenizer, each, limit) for each in (texts, held))
    body = adapt(backbone.model, args.lora)
    model: nn.Module
    if objective == "mlm":
        model = MaskedModel(body, backbone.pooling)
        model.heads["words"].load_published(backbone.folder)  # type: ignore[operator]
    elif objective == "denoising":
        model = DenoisingModel(body, backbone.pooling, limit)
    else:
        model = TwinModel(body, backbone.pooling, args.temperature)
        if len(data) < 2:
            raise InputError("objective = 'contrastive' compares texts with each other; it needs two or more.")
    vocabulary = Vocabulary.of(backbone.tokenizer)

    def batch(rows: Sequence[TextRow], chosen: Sequence[int], epoch: int) -> Tensors:
        places = [(args.seed, epoch, i) for i in chosen]
        if objective == "mlm":
            pairs = [masked(rows[i], args.mask_share, vocabulary, at) for i, at in zip(chosen, places, strict=True)]
            return with_targets(
                plain_batch([ids for ids, _ in pairs], vocabulary.pad_id), [wanted for _, wanted in pairs]
            )
        if objective == "denoising":
            left = [deleted(rows[i], args.delete_share, at) for i, at in zip(chosen, places, strict=True)]
            return with_targets(plain_batch(left, vocabulary.pad_id), [rows[i].ids for i in chosen])
        return plain_batch([rows[i].ids for i in chosen], vocabulary.pad_id)

    def measure() -> float:
        return _measured(model, lambda chosen: batch(tests, chosen, HELD_OUT), len(tests), args)

    return _Plan(
        model,
        [len(row.ids) for row in data],
        lambda chosen, epoch: batch(data, chosen, epoch),
        measure if len(tests) > (objective == "contrastive") else None,
        says_words=objective != "contrastive",
    )


def _measured(model: nn.Module, batch: Callable[[Sequence[int]], Tensors], count: int, args: PretrainArgs) -> float:
    """Mean loss over held-out rows, with masks and dropouts that are the same every time."""
    device = next(model.parameters()).device
    losses = []
    model.train(isinstance(model, TwinModel))  # twins differ by dropout alone
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(args.seed)
        for start in range(0, count, args.batch_size):
            chosen = range(start, min(count, start + args.batch_size))
            losses.append(model(**{name: value.to(device) for name, value in batch(chosen).items()}))
    model.eval()
    return float(torch.cat(losses).double().mean())
