"""Fine-tuning a sentence encoder on pairs that belong together, or on labelled texts.

The model is a `sentence_transformers.SentenceTransformer` and the ranking losses are that library's; they run in the
one trainer, so the embedder has the same optimisers, adversary, checkpoints and tracking as every task. Knows rows and
vectors; nothing of files. What is saved is a folder that sentence-transformers and the exporter can open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import nn

from core.backends.headed import BACKBONE, quiet_transformers
from core.errors import InputError
from core.evaluate.ranking import hit_rate_at_k, mrr_at_k
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone, adapt, check_length, freeze, merge, open_backbone
from core.finetune.data import Labelled, Pair
from core.finetune.losses import supervised_contrastive
from core.finetune.negatives import Mining, linked, mine, usable
from core.finetune.tokens import pad_rows, token_rows
from core.finetune.trainer import Batch, Job, Outcome, train
from core.models.task import TaskConfig
from core.progress import Report, quiet
from core.types import FloatArray

_POOLINGS = {"mean": "mean", "cls": "cls", "last": "lasttoken"}
_MOST_CANDIDATES = 5000


class EmbedderArgs(TrainArgs):
    """Options of `triptych finetune embedder`."""

    temperature: float = Field(0.05, gt=0, le=10)
    """Cosines are divided by it; lower looks at the hardest negatives only. .05 for ranking, .07 for labels."""

    cached: int = Field(0, ge=0, le=65_536)
    """Rows embedded at a time, for batches larger than memory (GradCache, Gao et al. 2021); 0 is off. Same loss, about
    a third slower."""

    symmetric: bool = False
    """Also ask which query belongs to a passage, not only which passage to a query."""

    negatives: Mining = Mining()
    """Hard negatives mined with the backbone before training."""


@dataclass(frozen=True, slots=True)
class FittedEmbedder:
    """A trained encoder; the same interface as `core.finetune.fitted.Fitted`."""

    model: Any
    """`SentenceTransformer`, in evaluation mode, adapters merged."""
    backbone: Backbone
    outcome: Outcome
    figures: Mapping[str, Any]
    config: TaskConfig
    notes: tuple[str, ...] = field(default=())

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(n, d) float32, rows L2-normalised."""
        return _encode(self.model, self.backbone, texts, self.config.max_tokens)

    def save(self, folder: Path) -> None:
        """Write `backbone/`, a sentence-transformers folder, and `task.json`."""
        target = folder / BACKBONE
        quiet_transformers()
        self.model.save_pretrained(str(target), create_model_card=False)
        described = target / "sentence_bert_config.json"
        values = json.loads(described.read_text(encoding="utf-8"))
        values["max_seq_length"] = self.config.max_tokens
        described.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        self.config.save(folder)


def fit(
    rows: Sequence[Pair] | Sequence[Labelled],
    held: Sequence[Pair] | Sequence[Labelled],
    args: EmbedderArgs,
    *,
    cache: Path,
    folder: Path | None = None,
    progress: Report = quiet,
) -> FittedEmbedder:
    """Train an encoder.

    Pairs use the multiple-negatives ranking loss: every other passage of the batch is a negative, and so are the pair's
    own and the mined ones, however many it has; but never a passage that the pairs link with the query. Labelled texts
    use the supervised contrastive loss.

    :param held: measured before and after: pairs by MRR@10 over all held passages, labelled texts by the label of the
        nearest class centre.
    :raises InputError: if rows are empty, pairs are all negative or all linked with each other and without negatives,
        or labels are fewer than two.
    """
    if not rows:
        raise InputError("There are no rows to train on.")
    torch.manual_seed(args.seed)  # heads, and weights that the backbone's file lacks, begin the same
    backbone = open_backbone(args.backbone, cache, pooling=args.pooling)
    limit = check_length(args, backbone)
    model = _sentence_model(backbone, limit, args)
    config = TaskConfig("embedder", backbone.architecture, backbone.pooling, limit, languages=backbone.languages)
    pairs, labelled = _sorted(rows)
    tests, named = _sorted(held)
    notes: tuple[str, ...] = ()
    if pairs:
        pairs, notes = mine(pairs, lambda texts: _encode(model, backbone, texts, limit), args.negatives)
        kept, left_out = usable(pairs)
        notes += left_out
        job = _ranking_job(model, backbone, kept, args, limit)
    else:
        job = _label_job(model, backbone, labelled, args, limit)

    def evaluator() -> Mapping[str, float]:
        def encode(texts: Sequence[str]) -> FloatArray:
            return _encode(model, backbone, texts, limit)

        return ranking_figures(encode, tests) if tests else label_figures(encode, labelled, named)

    measured = bool(tests or (named and labelled))
    before = {f"{name}_before": value for name, value in evaluator().items()} if measured else {}
    outcome = train(_measured(job, evaluator if measured else None), args, folder, progress=progress)
    model[0].model = merge(model[0].model)
    return FittedEmbedder(model.eval(), backbone, outcome, {**before, **outcome.figures}, config, notes)


def ranking_figures(encode: Any, held: Sequence[Pair]) -> dict[str, float]:
    """Recall@1 and MRR@10 of each query over all held passages and negatives; "score" is the MRR."""
    positives = [pair for pair in held if pair.score is None or pair.score >= 0.5][:_MOST_CANDIDATES]
    passages = list(dict.fromkeys([p.positive for p in positives] + [n for p in held for n in p.negatives]))
    wanted: dict[str, set[str]] = {}
    for pair in positives:
        wanted.setdefault(pair.query, set()).add(pair.positive)
    queries = list(wanted)
    scores = encode(queries) @ encode(passages).T
    ranked = [[passages[i] for i in np.argsort(-row, kind="stable")[:10]] for row in scores]
    relevant = [wanted[query] for query in queries]
    mrr = mrr_at_k(ranked, relevant, 10)
    return {"recall@1": hit_rate_at_k(ranked, relevant, 1), "mrr@10": mrr, "score": mrr}


def label_figures(encode: Any, rows: Sequence[Labelled], held: Sequence[Labelled]) -> dict[str, float]:
    """Share of held texts whose nearest class centre, of the training texts, is their label's."""
    labels = sorted({row.label() for row in rows})
    index = {label: i for i, label in enumerate(labels)}
    vectors = encode([row.text for row in rows])
    classes = np.array([index[row.label()] for row in rows])
    centres = np.stack([vectors[classes == i].mean(axis=0) for i in range(len(labels))])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    nearest = (encode([row.text for row in held]) @ centres.T).argmax(axis=1)
    right = float(np.mean([labels[i] == row.label() for i, row in zip(nearest.tolist(), held, strict=True)]))
    return {"centroid_accuracy": right, "score": right}


def _sentence_model(backbone: Backbone, limit: int, args: EmbedderArgs) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models

    transformer = models.Transformer(str(backbone.folder), max_seq_length=limit)
    freeze(backbone.model, args.freeze)
    transformer.model = adapt(backbone.model, args.lora)
    width = int(backbone.model.config.hidden_size)
    pooling = models.Pooling(width, pooling_mode=_POOLINGS[backbone.pooling])
    return SentenceTransformer(modules=[transformer, pooling], device="cpu")


def _ranking_job(model: Any, backbone: Backbone, kept: Sequence[Pair], args: EmbedderArgs, limit: int) -> Job:
    from core.finetune.ranking import PURE, links, make_loss

    if not kept:
        raise InputError("Every pair is a negative one (label 0); an embedder needs pairs that belong together.")
    if args.cached and args.adversarial.active:
        raise InputError("cached batches are embedded twice and cannot be combined with adversarial training.")
    groups = linked(kept)
    if len(set(groups.values())) < 2 and not any(pair.negatives for pair in kept):
        raise InputError(
            f"All {len(kept)} pairs are linked by shared queries or passages, so no passage is wrong for any query. "
            "Give pairs of other topics, or a column `negatives`."
        )
    pad_id = int(backbone.tokenizer.pad_token_id)
    queries, positives = (
        token_rows(backbone.tokenizer, texts, limit)
        for texts in ([pair.query for pair in kept], [pair.positive for pair in kept])
    )
    flat = iter(token_rows(backbone.tokenizer, [text for pair in kept for text in pair.negatives], limit))
    negatives = [[next(flat) for _ in pair.negatives] for pair in kept]
    loss = make_loss(model, temperature=args.temperature, symmetric=args.symmetric, cached=args.cached)

    def collate(chosen: Sequence[int]) -> dict[str, Any]:
        wrong = [row for i in chosen for row in negatives[i]]
        columns = [[queries[i] for i in chosen], [positives[i] for i in chosen], *([wrong] if wrong else [])]
        if not args.cached:
            columns = [[row for column in columns for row in column]]  # one forward pass
        others = [(place, groups.get(text, PURE)) for place, i in enumerate(chosen) for text in kept[i].negatives]
        return {
            "columns": [pad_rows(column, pad_id) for column in columns],
            "links": links([groups[kept[i].query] for i in chosen], others),
        }

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        columns = [dict(column) for column in batch["columns"]]
        found: torch.Tensor
        if args.cached:
            found = loss(columns, batch["links"])
        else:
            rows = module(columns[0])["sentence_embedding"]
            n = len(rows) - batch["links"].shape[1]
            found = loss.compute_loss_from_embeddings([rows[:n], rows[n:]], batch["links"])
        return found

    lengths = [
        max(len(row["input_ids"]) for row in (queries[i], positives[i], *negatives[i])) for i in range(len(kept))
    ]
    return Job(
        model,
        range(len(kept)),
        lengths,
        collate,
        objective,
        keys=_keys([groups[pair.query] for pair in kept], args.batch_size),
        embedded=model[0].model,
    )


def _keys(groups: Sequence[int], batch_size: int) -> list[int]:
    """What keeps linked pairs in different batches; those of a group with more pairs than there are batches cannot be
    kept apart, and lie where they fall.
    """
    sizes, batches = Counter(groups), -(-len(groups) // batch_size)
    return [group if sizes[group] <= batches else -1 - i for i, group in enumerate(groups)]


def _label_job(model: Any, backbone: Backbone, rows: Sequence[Labelled], args: EmbedderArgs, limit: int) -> Job:
    labels = sorted({row.label() for row in rows})
    if len(labels) < 2:
        raise InputError(f"All rows have the label {labels[0]!r}; contrastive training needs two or more.")
    classes = torch.tensor([labels.index(row.label()) for row in rows])
    tokens = token_rows(backbone.tokenizer, [row.text for row in rows], limit)
    pad_id = int(backbone.tokenizer.pad_token_id)

    def collate(chosen: Sequence[int]) -> dict[str, Any]:
        return {**pad_rows([tokens[i] for i in chosen], pad_id), "classes": classes[list(chosen)]}

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        features = {key: value for key, value in batch.items() if key != "classes"}
        return supervised_contrastive(module(features)["sentence_embedding"], batch["classes"], args.temperature)

    lengths = [len(row["input_ids"]) for row in tokens]
    return Job(model, range(len(rows)), lengths, collate, objective, embedded=model[0].model)


def _measured(job: Job, evaluator: Any) -> Job:
    from dataclasses import replace

    return replace(job, evaluator=evaluator)


def _sorted(rows: Sequence[Any]) -> tuple[Sequence[Pair], Sequence[Labelled]]:
    pairs = [row for row in rows if isinstance(row, Pair)]
    labelled = [row for row in rows if isinstance(row, Labelled)]
    if pairs and labelled:
        raise InputError("Pairs and labelled texts cannot be mixed in one training.")
    return pairs, labelled


def _encode(model: Any, backbone: Backbone, texts: Sequence[str], limit: int) -> FloatArray:
    """(n, d) float32, rows L2-normalised, in the order given."""
    rows = token_rows(backbone.tokenizer, list(texts), limit)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["input_ids"]))
    out = np.zeros((len(rows), int(backbone.model.config.hidden_size)), dtype=np.float32)
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        for start in range(0, len(order), 32):
            chosen = order[start : start + 32]
            batch = pad_rows([rows[i] for i in chosen], int(backbone.tokenizer.pad_token_id))
            found = model({key: value.to(device) for key, value in batch.items()})["sentence_embedding"]
            out[chosen] = nn.functional.normalize(found.float(), dim=1).cpu().numpy()
    model.train(training)
    return out
