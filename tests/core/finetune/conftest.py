"""A BERT and a llama of random weights, small enough to train in a test: real parts, made in a second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ENGLISH = (
    "how do i close my account ? the fee is charged once a month . i lost my card and need a new one ! where is my "
    "transfer ? it was not received , and i was charged twice . Anna Bell works in Paris for Acme Bank since May . "
    "Tom Reed of London called Orion Ltd about the loan . the shares of Nova rose , those of Delta fell on Monday . "
    "can you help me change my pin ? yes , open the app and choose settings . no , please ask at the desk . good bad "
    "great poor fast slow red green blue price profit loss rose fell calm angry happy sad thanks hello bye please"
)
CHINESE = "如何销户？银行卡丢了，要办新卡。手续费是多少？公司利润上升，股价下跌。张三在北京工作。好坏快慢，谢谢你。"
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT folder, 2 layers, 32 wide, 128 positions, word pieces, mean pooling by sentence-transformers' files."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "tiny-encoder"
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789?.,!$%"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=[*letters, *sorted(set(CHINESE))], show_progress=False
    )
    tokenizer.train_from_iterator([ENGLISH, CHINESE, *(f"a{letter}" for letter in letters)], trainer)
    ids = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ids
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    _write(
        folder / "tokenizer_config.json",
        {f"{name}_token": token for name, token in names.items()} | {"tokenizer_class": "PreTrainedTokenizerFast"},
    )
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    _write(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
    )
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=128,
            initializer_range=0.1,
            pad_token_id=0,
        )
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal llama folder, 2 layers, 64 wide, 256 positions, byte-level pieces, ChatML, tied embeddings."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-decoder"
    folder.mkdir()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([ENGLISH, CHINESE, "system\nuser\nassistant\n"], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos": "<|im_start|>", "eos": "<|im_end|>", "pad": "<|im_end|>", "unk": "<|endoftext|>"}
    _write(
        folder / "tokenizer_config.json",
        {f"{name}_token": token for name, token in names.items()} | {"tokenizer_class": "PreTrainedTokenizerFast"},
    )
    (folder / "chat_template.jinja").write_text(CHAT, encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            max_position_embeddings=256,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            initializer_range=0.1,
            tie_word_embeddings=True,
        )
        model = LlamaForCausalLM(config)
        model.generation_config.eos_token_id = 2
        model.save_pretrained(folder)
    return folder


def _write(path: Path, values: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
