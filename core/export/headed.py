"""Fine-tuned models from torch to ONNX, heads included, compared with torch before anyone sees them.

Knows the trained folder and the served one; encoder and decoder backbones. The CPU runs the graph as it was traced;
fp16 for CUDA too, for the fusions know no heads. Needs the extra `train`.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from core.backends.headed import BACKBONE, HeadedModel
from core.backends.headed_onnx import MODEL_FILE, OnnxHeads
from core.backends.headed_tokens import TOKENIZER_FILE, Row, RowTokenizer, TokenConfig
from core.errors import InputError, ParityFailed
from core.export.heads_parity import Feed, Forward, HeadsReport, compare_heads
from core.export.parity import TEXTS
from core.export.quantize import quantise
from core.models.task import TaskConfig

PRECISIONS = ("fp32", "fp16", "int8", "int8-static")
"""What heads can be exported in; int8-static needs texts for calibration."""

Sample = str | tuple[str, str]
"""A text, or a pair of texts where the model reads pairs."""

_OPSET = 17
_HEADED = ("classifier", "tagger", "reranker")
_BATCH = 16
_LARGEST = 2**31 - 2**24
_LONG = 512
"""The longest parity batch, in tokens; a graph that is right so far is right beyond."""


def export_headed(
    folder: Path,
    targets: Mapping[str, Path],
    *,
    name: str = "",
    samples: Sequence[Sample] = (),
    calibration: Sequence[Sample] = (),
) -> dict[str, HeadsReport]:
    """Export a trained folder in one or more precisions; all of them or none.

    :param folder: `backbone/`, `heads.safetensors`, `task.json`; see `core.backends.headed`.
    :param targets: output folder by precision; each gets `model.onnx`, `tokenizer.json`, `task.json` and
        `tokens.json`, once every precision has passed.
    :param name: what the model will be called; empty means the folder's name.
    :param samples: texts of the task, held out if possible: the answers of export and source are compared on them.
    :param calibration: typical texts, for "int8-static" its ranges and for "int8" the large channels; a hundred do.
    :returns: the parity report of each precision, all passed.
    :raises InputError: if the folder has no heads, a precision is unknown, or int8-static has no calibration texts.
    :raises ParityFailed: if an export, or its tokenizer, differs from training; nothing is written.
    """
    unknown = [precision for precision in targets if precision not in PRECISIONS]
    if unknown:
        raise InputError(f"There is no {unknown[0]} export of heads; there are {', '.join(PRECISIONS)}.")
    if "int8-static" in targets and not calibration:
        raise InputError("int8-static measures its ranges on typical texts; give some for calibration.")
    task = TaskConfig.load(folder)
    if task.task not in _HEADED or not task.heads:
        raise InputError(f"{folder} is a {task.task} without heads; heads are of {', '.join(_HEADED)}.")
    model = HeadedModel.load(folder, attention="eager")
    _check_size(folder, model)
    with tempfile.TemporaryDirectory(prefix="triptych-export-") as scratch:
        work = Path(scratch)
        rows = _tokenizer(folder, task, name or folder.resolve().name, work)
        feeds = _Feeds(rows, task)
        batches = feeds.cases()
        wanted = feeds.of(samples)
        reference = _remember(model, [*batches.values(), *wanted])
        to_onnx(model, work / MODEL_FILE, typed=feeds.typed)
        typical = [*feeds.of([*calibration, *feeds.made_up]), batches["maximum length"]]
        kept = [f"/model/{head.name}/linear/" for head in task.heads]
        reports = {}
        for precision in targets:
            made = work / precision
            made.mkdir()
            quantise(work / MODEL_FILE, made / MODEL_FILE, precision, typical, keep=kept)
            shutil.copyfile(work / TOKENIZER_FILE, made / TOKENIZER_FILE)
            _config(rows, precision).save(made)
            task.save(made)
            forward = OnnxHeads(made, threads=torch.get_num_threads()).forward
            reports[precision] = compare_heads(task.heads, reference, forward, batches, wanted, precision).require()
        for precision, target in targets.items():
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted((work / precision).iterdir()):
                shutil.move(file, target / file.name)
    return reports


class _Graph(torch.nn.Module):
    """Logits as a tuple in the order of the heads, which tracing wants."""

    def __init__(self, model: HeadedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One tensor a head, from input_ids, attention_mask and perhaps token_type_ids."""
        found = self.model(*inputs)
        return tuple(found[head.name] for head in self.model.task.heads)


def to_onnx(model: HeadedModel, path: Path, *, typed: bool = False) -> None:
    """Write a model with its heads as one ONNX file, batch and length dynamic.

    The TorchScript exporter is used on purpose, as in `core.export.encoder`. The sample is padded left and right.

    :param model: loaded with `attention="eager"`.
    :param typed: whether the graph reads `token_type_ids`.
    """
    ids = torch.ones(3, 12, dtype=torch.int64)
    mask = torch.ones(3, 12, dtype=torch.int64)
    mask[1, :5] = 0
    mask[2, 8:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": torch.zeros_like(ids)} if typed else {})
    outputs = {head.name: {0: "n", 1: "t"} if head.kind == "token" else {0: "n"} for head in model.task.heads}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(model).eval(),
            tuple(inputs.values()),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: "n", 1: "t"} for name in inputs} | outputs,
        )


class _Feeds:
    """Batches for parity and calibration in the model's own tokens."""

    def __init__(self, rows: RowTokenizer, task: TaskConfig) -> None:
        self._rows, self._task = rows, task
        self.typed = task.pairs and rows.config.pairing == "typed"
        texts = list(TEXTS)
        self.made_up: Sequence[Sample] = list(zip(texts, [*texts[1:], texts[0]], strict=True)) if task.pairs else texts

    def of(self, samples: Sequence[Sample]) -> list[Feed]:
        """Small batches of the samples, like lengths together.

        :raises InputError: if a sample is a pair where texts are wanted, or the other way round.
        """
        rows = sorted(self._tokens(samples), key=lambda row: -len(row.ids))
        return [self._pad(rows[i : i + _BATCH]) for i in range(0, len(rows), _BATCH)]

    def cases(self) -> dict[str, Feed]:
        """Every way a batch can look: sides of padding, sizes, lengths; as `core.export.parity.cases`."""
        rows = self._tokens(self.made_up)
        (empty,) = self._tokens([("", "") if self._task.pairs else ""])
        endless = " ".join(TEXTS * 64)
        (longest,) = self._tokens([(TEXTS[0], endless) if self._task.pairs else endless])
        longest = Row(longest.ids[:_LONG], longest.types[:_LONG])
        many = [rows[i % len(rows)] for i in range(32)]
        mixed = [longest, *rows, empty]
        return {
            "batch 1": self._pad(rows[:1]),
            "batch 32, right-padded": self._pad(many),
            "batch 32, left-padded": self._pad(many, left=True),
            "empty text": self._pad([empty]),
            "empty text in a batch": self._pad([rows[0], empty]),
            "maximum length": self._pad([longest]),
            "mixed lengths, right-padded": self._pad(mixed),
            "mixed lengths, left-padded": self._pad(mixed, left=True),
        }

    def _tokens(self, samples: Sequence[Sample]) -> list[Row]:
        wrong = [each for each in samples if isinstance(each, str) == self._task.pairs]
        if wrong:
            wanted = "pairs of texts" if self._task.pairs else "single texts"
            raise InputError(f"The model reads {wanted}; {str(wrong[0])[:60]!r} is none.")
        if self._task.pairs:
            return self._rows.rows([each[0] for each in samples], [each[1] for each in samples])
        return self._rows.rows([str(each) for each in samples])

    def _pad(self, rows: Sequence[Row], *, left: bool = False) -> Feed:
        return self._rows.pad(rows, types=self.typed, left=left)


def _tokenizer(folder: Path, task: TaskConfig, name: str, work: Path) -> RowTokenizer:
    """The served tokenizer, written into `work` from the one that training opens, and proved to give the same ids.

    :raises ParityFailed: if it does not.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(
        str(folder / BACKBONE), local_files_only=True, trust_remote_code=False
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    backend.save(str(work / TOKENIZER_FILE))
    pairing = "joined" if tokenizer.sep_token_id is None else "typed"
    config = TokenConfig(name, "fp32", int(tokenizer.pad_token_id), pairing)  # type: ignore[arg-type]
    rows = RowTokenizer(work, config, task.max_tokens)
    texts = [*TEXTS, "", " ".join(TEXTS * 64)]
    others = [*texts[1:], texts[0]] if task.pairs else None
    for text, wanted, got in zip(
        texts, _as_trained(tokenizer, task, texts, others), rows.rows(texts, others), strict=True
    ):
        if wanted != got.ids:
            raise ParityFailed(
                f"The exported tokenizer gives {got.ids[:12]} for {text[:40]!r}, training {wanted[:12]}; "
                "nothing was exported."
            )
    return rows


def _as_trained(tokenizer: Any, task: TaskConfig, texts: Sequence[str], pairs: Sequence[str] | None) -> list[list[int]]:
    """Ids as `transformers` makes them; the rule is the trainer's."""
    limits: dict[str, Any] = {"truncation": True, "max_length": task.max_tokens}
    if pairs is None:
        found = tokenizer(list(texts), **limits)
    elif tokenizer.sep_token_id is None:
        found = tokenizer([f"{a}\n\n{b}" for a, b in zip(texts, pairs, strict=True)], **limits)
    else:
        found = tokenizer(list(texts), list(pairs), **limits | {"truncation": "longest_first"})
    return [ids or [tokenizer.pad_token_id] for ids in found["input_ids"]]


def _remember(model: HeadedModel, feeds: Sequence[Feed]) -> Forward:
    """Torch's answers, computed once for all precisions."""
    answers = {}
    for feed in feeds:
        with torch.inference_mode():
            found = model(**{name: torch.from_numpy(value) for name, value in feed.items()})
        answers[id(feed)] = {name: value.float().numpy() for name, value in found.items()}
    return lambda feed: answers[id(feed)]


def _config(rows: RowTokenizer, precision: str) -> TokenConfig:
    return TokenConfig(rows.config.name, precision, rows.config.pad_id, rows.config.pairing)


def _check_size(folder: Path, model: HeadedModel) -> None:
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    if size > _LARGEST:
        raise InputError(
            f"{folder} has {size / 2**30:.1f} GiB of fp32 weights; one ONNX file holds less than 2. Take a smaller "
            "backbone."
        )
