from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.finetune.adversarial import AdversarialArgs
from core.finetune.edits import EDITS, WordEditor, edit, editor_for

TEXTS = ["operating profit rose sharply in 2007", "sales fell"]


def word_pieces() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "operating", "profit", "rose", "sharply", "in", "sales", "fell"]
    vocabulary += letters + [f"##{letter}" for letter in letters]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    from tokenizers import decoders

    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def byte_pieces() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {letter: i for i, letter in enumerate(["<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


def batch(tokenizer: Any) -> dict[str, Any]:
    return {**tokenizer(TEXTS, padding=True, return_tensors="pt"), "labels": torch.tensor([1, 0])}


def texts(tokenizer: Any, rows: Any) -> list[str]:
    return list(tokenizer.batch_decode(rows["input_ids"], skip_special_tokens=True))


@pytest.mark.parametrize("make", [word_pieces, byte_pieces])
def test_rows_come_back_damaged_padded_and_with_their_labels(make: Any) -> None:
    tokenizer = make()
    before = batch(tokenizer)
    after = WordEditor(tokenizer, rate=0.3)(before, torch.ones(before["input_ids"].shape), seed=5)
    assert after["input_ids"].shape == after["attention_mask"].shape
    assert after["labels"].tolist() == [1, 0]
    assert set(after) == set(before)
    for old, new in zip(TEXTS, texts(tokenizer, after), strict=True):
        assert new != old
        changed = [word for word in old.split() if word not in new.split()]
        assert 1 <= len(changed) <= 2


@pytest.mark.parametrize("make", [word_pieces, byte_pieces])
def test_the_word_the_loss_hangs_on_is_the_one_that_is_damaged(make: Any) -> None:
    tokenizer = make()
    before = batch(tokenizer)
    saliency = torch.zeros(before["input_ids"].shape)
    encoded = tokenizer(TEXTS)
    for row, word in ((0, 2), (1, 1)):
        for token, belongs in enumerate(encoded.word_ids(row)):
            saliency[row, token] = float(belongs == word)
    for seed in range(20):
        first, second = texts(tokenizer, WordEditor(tokenizer, rate=0.05)(before, saliency, seed))
        assert "rose" not in first.split() and "profit" in first and "sharply" in first
        assert "fell" not in second.split() and "sales" in second


def test_same_seed_same_edits() -> None:
    tokenizer = word_pieces()
    editor, rows = WordEditor(tokenizer), batch(tokenizer)
    runs = [editor(rows, torch.ones(rows["input_ids"].shape), seed)["input_ids"].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_new_rows_are_cut() -> None:
    tokenizer = word_pieces()
    rows = batch(tokenizer)
    after = WordEditor(tokenizer, rate=1.0, max_tokens=6)(rows, torch.ones(rows["input_ids"].shape), 0)
    assert after["input_ids"].shape[1] <= 6


def test_texts_without_words_stay() -> None:
    tokenizer = word_pieces()
    rows = dict(tokenizer(["2007 1 2"], return_tensors="pt"))
    after = WordEditor(tokenizer)(rows, torch.ones(rows["input_ids"].shape), 0)
    assert after["input_ids"].tolist() == rows["input_ids"].tolist()


@pytest.mark.parametrize("kind", EDITS)
def test_one_edit_is_one_slip(kind: Any) -> None:
    draw = np.random.default_rng(0)
    for word in ("at", "profit", "利润"):
        slip = edit(word, kind, draw)
        assert slip != word
        lengths = {"swap": 0, "key": 0, "omit": -1, "double": 1, "drop": -len(word)}
        assert len(slip) - len(word) == lengths[kind]


def test_a_label_a_token_and_pairs_are_refused() -> None:
    tokenizer = word_pieces()
    rows = batch(tokenizer)
    weights = torch.ones(rows["input_ids"].shape)
    with pytest.raises(InputError, match="single texts"):
        WordEditor(tokenizer)({**rows, "labels": rows["input_ids"]}, weights, 0)
    with pytest.raises(InputError, match="single texts"):
        WordEditor(tokenizer)({**rows, "token_type_ids": torch.ones_like(rows["input_ids"])}, weights, 0)


def test_a_slow_tokenizer_and_no_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="fast tokenizer"):
        WordEditor(object())
    with pytest.raises(InputError, match="no kind of edit"):
        WordEditor(word_pieces(), edits=())


def test_only_the_method_edits_gets_an_editor() -> None:
    tokenizer = word_pieces()
    assert editor_for(AdversarialArgs(method="fgm"), tokenizer, 16) is None
    assert editor_for(AdversarialArgs(method="edits", edit_rate=0.0), tokenizer, 16) is None
    assert isinstance(editor_for(AdversarialArgs(method="edits"), tokenizer, 16), WordEditor)
