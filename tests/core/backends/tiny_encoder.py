"""A BERT of a few thousand random weights with its own word pieces, and its export: real parts, made in seconds."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

from core.export.encoder import export_encoder

TEXTS = "i lost my card what is the fee account change pin of transfer not received why was charged twice"
DIMENSION = 32
MAX_TOKENS = 48


@functools.cache
def source() -> Path:
    """The Hugging Face folder, made once in a test run."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = _folder()
    letters = [chr(c) for c in range(97, 123)] + [str(d) for d in range(10)] + list("?.,$%")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *TEXTS.split(), *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(8)  # left behind by training, as in many published files
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=DIMENSION,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.4,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS}), encoding="utf-8")
    return folder


@functools.cache
def exported() -> dict[str, Path]:
    """Folders of its fp32, int8 and fp16 exports, made once in a test run."""
    targets = {precision: _folder() for precision in ("fp32", "int8", "fp16")}
    export_encoder(source(), targets, name="tiny")
    return targets


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tiny-encoder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
