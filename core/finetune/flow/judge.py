"""Opens a trained folder, or its export, and measures it: torch and onnxruntime through the same eyes.

Knows which model of which task opens how; the figures are `core.finetune.flow.measure`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.finetune.data import Labelled, Pair
from core.finetune.flow.measure import Measured, measure_labelled, measure_scores, measure_tagged
from core.models.task import TaskConfig
from core.types import FloatArray

_BACKBONE = "backbone"


def judge_trained(folder: Path, rows: Sequence[Any], known: Sequence[Any] = (), *, threads: int = 2) -> Measured | None:
    """Measure a trained folder with torch; None for pre-trained encoders, which have nothing to say yet.

    :param folder: what `Fitted.save` wrote.
    :param known: training rows; an embedder of labelled texts takes its class centres from them.
    :raises InputError: if there are no rows, or they are of another task.
    """
    import torch

    config = TaskConfig.load(folder)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if config.task == "embedder":
            return _judge_encoder(_torch_encoder(folder), rows, known)
        if config.task in ("chat", "pretrain"):
            return _judge_language(config, folder, rows)
        return _judge_heads(config, folder, rows)
    finally:
        torch.set_num_threads(before)


def judge_export(folder: Path, rows: Sequence[Any], known: Sequence[Any] = (), *, threads: int = 2) -> Measured | None:
    """Measure an ONNX export as it is served; None for tasks whose export is compared by its words alone."""
    if (folder / "encoder.json").is_file():
        from core.backends.onnx import OnnxEncoder

        return _judge_encoder(OnnxEncoder(folder, threads=threads).encode, rows, known)
    if TaskConfig.load(folder).task in ("chat", "pretrain"):
        return None
    from core.backends.headed_onnx import OnnxHeads

    heads = OnnxHeads(folder, threads=threads)
    if heads.task.task == "classifier":
        return measure_labelled(heads.task, heads.logits, rows)
    if heads.task.task == "reranker":
        return measure_scores(heads.task, lambda a, b: heads.logits(a, b)[heads.task.head().name][:, 0], rows)
    return measure_tagged(heads.tags, rows)


def _judge_heads(config: TaskConfig, folder: Path, rows: Sequence[Any]) -> Measured:
    from transformers import AutoTokenizer

    from core.backends.headed import HeadedModel

    model = HeadedModel.load(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder / _BACKBONE), local_files_only=True, trust_remote_code=False)
    if config.task == "classifier":
        from core.finetune import classifier

        return measure_labelled(config, lambda a, b: classifier.predict(model, tokenizer, a, b), rows)
    if config.task == "reranker":
        from core.finetune import reranker

        return measure_scores(config, lambda a, b: reranker.score(model, tokenizer, a, b), rows)
    from core.finetune import tagger

    return measure_tagged(lambda words: [tags for tags, _ in tagger.predict(model, tokenizer, words)], rows)


def _judge_encoder(
    encode: Callable[[Sequence[str]], FloatArray], rows: Sequence[Any], known: Sequence[Any]
) -> Measured:
    from core.finetune.embedder import label_figures, ranking_figures

    if all(isinstance(row, Pair) for row in rows):
        return Measured({"rows": len(rows), **ranking_figures(encode, rows)})
    labelled = [row for row in known if isinstance(row, Labelled)]
    if not labelled:
        raise InputError("An embedder of labelled texts is measured by the class centres of its training rows.")
    return Measured({"rows": len(rows), **label_figures(encode, labelled, rows)})


def _torch_encoder(folder: Path) -> Callable[[Sequence[str]], FloatArray]:
    from core.backends.torch import TorchEncoder

    return TorchEncoder(folder / _BACKBONE, name=folder.name).encode


def _judge_language(config: TaskConfig, folder: Path, rows: Sequence[Any]) -> Measured | None:
    """Loss and perplexity of a decoder; None for encoders, which say no words."""
    if config.architecture == "encoder":
        return None
    from transformers import AutoTokenizer

    from core.backends.chat import ChatTemplate
    from core.backends.headed import load_backbone
    from core.finetune.causal import CausalModel, mean_loss, perplexity
    from core.finetune.chat_rows import chat_rows
    from core.finetune.pretrain_rows import causal_rows

    place = folder / _BACKBONE
    tokenizer: Any = AutoTokenizer.from_pretrained(str(place), local_files_only=True, trust_remote_code=False)
    model = CausalModel(load_backbone(place, causal=True)).eval()
    if config.task == "chat":
        made = list(chat_rows(rows, ChatTemplate.from_folder(place), tokenizer, config.max_tokens).rows)
    else:
        made = list(causal_rows(tokenizer, [row.text for row in rows], config.max_tokens))
    if not made:
        raise InputError(f"None of the rows to measure on fits into {config.max_tokens} tokens.")
    loss = mean_loss(model, made, int(tokenizer.pad_token_id or 0))
    return Measured({"rows": len(rows), "loss": loss, "perplexity": perplexity(loss), "score": -loss})
