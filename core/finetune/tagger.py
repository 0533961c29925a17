"""Fine-tuning a tagger: a tag for every word, on encoders and decoders.

Knows tagged words and one head over tokens; nothing of files. Words are cut as serving cuts a text (Chinese into
characters), each is tokenised by itself, and its first token says the tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from core.backends.entities import OUTSIDE, Entity, entities
from core.backends.headed import HeadedModel
from core.errors import InputError
from core.evaluate.calibration import fit_temperature, softmax
from core.evaluate.tagging import tagging_report
from core.finetune.args import TrainArgs
from core.finetune.backbone import adapt, check_length, freeze, merge, open_backbone
from core.finetune.data.examples import Tagged, tag_list
from core.finetune.fitted import Fitted, run_rows
from core.finetune.losses import IGNORED, balanced_weights, total_loss
from core.finetune.tokens import TokenRow, pad_rows, special_frame
from core.finetune.trainer import Batch, Job, train
from core.models.task import Head, TaskConfig
from core.progress import Report, quiet
from core.text.tagwords import split_tags, split_words, windows
from core.text.tokens import word_spans
from core.types import FloatArray

HEAD = "tags"


class TaggerArgs(TrainArgs):
    """Options of `triptych finetune tagger`."""

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target spread over all tags (Szegedy et al. 2016)."""

    class_weights: Literal["none", "balanced", "sqrt"] = "none"
    """Give rare tags more say: in inverse proportion to their number, or to its square root."""

    calibrate: bool = True
    """Fit the temperature on the held-out rows (Guo et al. 2017)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a sentence's words that fits."""

    sentence: int
    start: int
    """Its first word."""
    row: TokenRow
    places: tuple[int | None, ...]
    """For each of its words the token that says the tag."""


def fit(
    rows: Sequence[Tagged],
    held: Sequence[Tagged],
    args: TaggerArgs,
    *,
    cache: Path,
    folder: Path | None = None,
    progress: Report = quiet,
) -> Fitted:
    """Train a tagger.

    :param rows: training sentences, with two tags or more among them.
    :param held: held-out sentences for choosing the best weights; may be empty.
    :param cache: where converted backbones are kept.
    :param folder: run folder; see `core.finetune.trainer.train`.
    :raises InputError: if rows are empty, words and tags differ in number, there is one tag only, or a held-out tag was
        never seen in training.
    """
    for number, sentence in enumerate((*rows, *held), start=1):
        if len(sentence.words) != len(sentence.tags) or not sentence.words:
            raise InputError(
                f"sentence {sentence.line or number} has {len(sentence.words)} words and {len(sentence.tags)} tags; "
                "every word needs one."
            )
    labels = tag_list(rows)
    if len(labels) < 2:
        raise InputError(f"There is only the tag {labels[0] if labels else 'none'!r}; a tagger needs two or more.")
    unknown = sorted({tag for row in held for tag in row.tags} - set(labels))
    if unknown:
        raise InputError(f"The tag {unknown[0]!r} is in held-out rows and never in training.")
    torch.manual_seed(args.seed)  # weights that the file lacks are drawn while it is opened
    backbone = open_backbone(args.backbone, cache, pooling=args.pooling)
    config = TaskConfig(
        task="tagger",
        architecture=backbone.architecture,
        pooling=backbone.pooling,
        max_tokens=check_length(args, backbone),
        heads=(Head(HEAD, "token", labels),),
        languages=backbone.languages,
    )
    freeze(backbone.model, args.freeze)
    model = HeadedModel(adapt(backbone.model, args.lora), config, dropout=args.dropout)
    tokenizer, pad_id = backbone.tokenizer, _pad(backbone.tokenizer)
    data = rows_of([split_words(row.words)[0] for row in rows], tokenizer, config)
    targets = _targets(data, [split_tags(row.words, row.tags) for row in rows], labels)
    weights = _weights(targets, len(labels), args.class_weights)

    def collate(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        batch = pad_rows([data[i].row for i in chosen], pad_id)
        wanted = torch.full_like(batch["input_ids"], IGNORED)
        for place, i in enumerate(chosen):
            wanted[place, : len(targets[i])] = torch.from_numpy(targets[i])
        return {**batch, "targets": wanted}

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in batch.items() if name != "targets"}
        moved = {name: value.to(batch["input_ids"].device) for name, value in weights.items()}
        wanted = {HEAD: batch["targets"]}
        return total_loss(config.heads, module(**inputs), wanted, smoothing=args.label_smoothing, weights=moved)

    def evaluator() -> Mapping[str, float]:
        return _scores(held, [tags for tags, _ in predict(model, tokenizer, [row.words for row in held])])

    job = Job(
        model=model,
        rows=range(len(data)),
        lengths=[len(piece.row["input_ids"]) for piece in data],
        collate=collate,
        objective=objective,
        evaluator=evaluator if held else None,
    )
    outcome = train(job, args, folder, progress=progress)
    model.backbone = merge(model.backbone)
    figures: dict[str, Any] = dict(outcome.figures)
    if held:
        if args.calibrate:
            model.task = replace(config, heads=(_calibrated(model, tokenizer, held),))
        found = [tags for tags, _ in predict(model, tokenizer, [row.words for row in held])]
        figures["report"] = tagging_report(found, [row.tags for row in held]).as_dict()
    return Fitted(model.eval(), backbone, outcome, figures, _notes(data, config.max_tokens))


def predict(
    model: HeadedModel, tokenizer: Any, sentences: Sequence[Sequence[str]]
) -> list[tuple[list[str], list[float]]]:
    """Of each sentence a tag for each word, and its probability. A word without tokens is outside, with 0."""
    split = [split_words(words) for words in sentences]
    found = _said(model, tokenizer, [parts for parts, _ in split])
    return [
        ([tags[i] for i in firsts], [scores[i] for i in firsts])
        for (tags, scores), (_, firsts) in zip(found, split, strict=True)
    ]


def find(model: HeadedModel, tokenizer: Any, texts: Sequence[str]) -> list[list[Entity]]:
    """The entities of each text, by characters."""
    offsets = [word_spans(text) for text in texts]
    words = [[text[start:end] for start, end in spans] for text, spans in zip(texts, offsets, strict=True)]
    found = _said(model, tokenizer, words)
    return [entities(spans, tags, scores) for spans, (tags, scores) in zip(offsets, found, strict=True)]


def rows_of(sentences: Sequence[Sequence[str]], tokenizer: Any, config: TaskConfig) -> list[Piece]:
    """Sentences as rows; one that is too long becomes several."""
    before, after = special_frame(tokenizer)
    room = config.max_tokens - len(before) - len(after)
    joined = tokenizer.sep_token_id is None  # a decoder's pieces carry the space before them
    pieces = []
    for number, words in enumerate(sentences):
        shown = [f" {word}" if joined and i else word for i, word in enumerate(words)]
        ids: list[list[int]] = tokenizer(shown, add_special_tokens=False, verbose=False)["input_ids"] if shown else []
        for start, end in windows([len(word) for word in ids], room):
            row, places = list(before), list[int | None]()
            for word in ids[start:end]:
                places.append(len(row) if word else None)
                row += word[:room]
            pieces.append(Piece(number, start, {"input_ids": [*row, *after] or [_pad(tokenizer)]}, tuple(places)))
    return pieces


def _targets(pieces: Sequence[Piece], tags: Sequence[Sequence[str]], labels: Sequence[str]) -> list[Any]:
    """(t,) int64 targets of each row."""
    index = {label: i for i, label in enumerate(labels)}
    found = []
    for piece in pieces:
        wanted = np.full(len(piece.row["input_ids"]), IGNORED, dtype=np.int64)
        for word, place in enumerate(piece.places):
            if place is not None:
                wanted[place] = index[tags[piece.sentence][piece.start + word]]
        found.append(wanted)
    return found


def _weights(targets: Sequence[Any], count: int, how: str) -> dict[str, torch.Tensor]:
    if how == "none":
        return {}
    known = torch.from_numpy(np.concatenate(targets))
    counts = torch.bincount(known[known != IGNORED], minlength=count)
    return {HEAD: balanced_weights(counts, 1.0 if how == "balanced" else 0.5)}


def _logits(model: HeadedModel, tokenizer: Any, sentences: Sequence[Sequence[str]]) -> list[list[FloatArray | None]]:
    """(k,) logits of each word of each sentence."""
    pieces = rows_of(sentences, tokenizer, model.task)
    found: list[list[FloatArray | None]] = [[None] * len(words) for words in sentences]
    rows = run_rows(model, [piece.row for piece in pieces], _pad(tokenizer))[HEAD]
    for piece, logits in zip(pieces, rows, strict=True):
        for word, place in enumerate(piece.places):
            found[piece.sentence][piece.start + word] = None if place is None else logits[place]
    return found


def _said(
    model: HeadedModel, tokenizer: Any, sentences: Sequence[Sequence[str]]
) -> list[tuple[list[str], list[float]]]:
    head = model.task.head(HEAD)
    nothing = OUTSIDE if OUTSIDE in head.labels else head.labels[0]
    out = []
    for words in _logits(model, tokenizer, sentences):
        tags, scores = [nothing] * len(words), [0.0] * len(words)
        for i, logits in enumerate(words):
            if logits is not None:
                shares = softmax(logits[None], head.temperature)[0]
                tags[i], scores[i] = head.labels[int(shares.argmax())], float(shares.max())
        out.append((tags, scores))
    return out


def _scores(held: Sequence[Tagged], found: Sequence[Sequence[str]]) -> dict[str, float]:
    """Figures of an evaluation; "score" is entity F1 of BIO tags, else the tokens' macro F1."""
    report = tagging_report(found, [row.tags for row in held])
    marked = any(tag.startswith(("B-", "I-")) for row in held for tag in row.tags)
    figures = {"token_accuracy": report.tokens.accuracy, "token_macro_f1": report.tokens.macro.f1}
    if marked:
        micro = report.entities.micro
        figures |= {"precision": micro.precision, "recall": micro.recall, "f1": micro.f1}
    return figures | {"score": figures["f1"] if marked else figures["token_macro_f1"]}


def _calibrated(model: HeadedModel, tokenizer: Any, held: Sequence[Tagged]) -> Head:
    head = model.task.head(HEAD)
    words = [split_words(row.words)[0] for row in held]
    tags = [split_tags(row.words, row.tags) for row in held]
    pairs = [
        (logits, head.labels.index(tag))
        for said, wanted in zip(_logits(model, tokenizer, words), tags, strict=True)
        for logits, tag in zip(said, wanted, strict=True)
        if logits is not None
    ]
    if not pairs:
        return head
    truth = np.array([tag for _, tag in pairs], dtype=np.int64)
    return replace(head, temperature=fit_temperature(np.stack([logits for logits, _ in pairs]), truth))


def _notes(pieces: Sequence[Piece], limit: int) -> tuple[str, ...]:
    cut = len({piece.sentence for piece in pieces if piece.start})
    return (f"{cut} sentences are longer than {limit} tokens and were cut into pieces.",) if cut else ()


def _pad(tokenizer: Any) -> int:
    return int(tokenizer.pad_token_id)
