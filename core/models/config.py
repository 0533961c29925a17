"""What an encoder needs beside its weights: token limits, special tokens, pooling.

Knows the files of a Hugging Face folder and of a published artifact; loads no weights.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import ArtifactDamaged, InputError

Pooling = Literal["mean", "cls"]

FILE_NAME = "encoder.json"
_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """How texts become token rows for one encoder, and what comes back."""

    name: str
    """Catalog name, as in "minilm"."""
    precision: str
    """ "fp32", "fp16" or "int8"."""
    dimension: int
    """Length of a vector."""
    max_tokens: int
    """Longer texts are cut to this many tokens, special ones included."""
    prefix_ids: tuple[int, ...]
    """Token ids put before every text, as in [CLS]."""
    suffix_ids: tuple[int, ...]
    """Token ids put after every text, as in [SEP]."""
    pad_id: int
    empty_ids: tuple[int, ...] = ()
    """Ids that stand for a text without tokens."""
    pooling: Pooling = "mean"
    languages: tuple[str, ...] = ("en",)
    """ISO 639-1 codes."""

    @property
    def full_name(self) -> str:
        """Name and precision, as in "minilm-int8"."""
        return f"{self.name}-{self.precision}"

    def save(self, folder: Path) -> None:
        """Write `encoder.json` into a folder."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> EncoderConfig:
        """Read `encoder.json`.

        :raises ArtifactDamaged: if it is missing or not what this version writes.
        """
        path = folder / FILE_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            for key in ("prefix_ids", "suffix_ids", "empty_ids", "languages"):
                values[key] = tuple(values[key])
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArtifactDamaged(
                f"{path} is not a readable encoder description ({error}); publish the model again."
            ) from error


def read_pretrained(folder: Path, *, name: str, languages: tuple[str, ...] = ("en",)) -> EncoderConfig:
    """Describe the encoder in a Hugging Face or sentence-transformers folder.

    :param folder: has `config.json` and `tokenizer.json`; pooling and length come from the
        sentence-transformers files where they are, else mean pooling over the model's positions.
    :raises InputError: if a file is missing or the pooling is one this suite cannot reproduce.
    """
    config = _read(folder, "config.json")
    positions = int(config.get("max_position_embeddings", 512))
    sentence = _read(folder, "sentence_bert_config.json", optional=True)
    _check_modules(folder)
    prefix, suffix = _special_ids(folder)
    return EncoderConfig(
        name=name,
        precision="fp32",
        dimension=int(config["hidden_size"]),
        max_tokens=min(int(sentence.get("max_seq_length") or positions), positions),
        prefix_ids=prefix,
        suffix_ids=suffix,
        pad_id=int(config.get("pad_token_id") or 0),
        pooling=_pooling(folder),
        languages=languages,
    )


def _read(folder: Path, name: str, *, optional: bool = False) -> dict[str, Any]:
    path = folder / name
    if optional and not path.is_file():
        return {}
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is not a model folder: {name} cannot be read ({error}). "
            "It needs config.json, tokenizer.json and model.safetensors."
        ) from error
    return values


def _check_modules(folder: Path) -> None:
    path = folder / "modules.json"
    if not path.is_file():
        return
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in json.loads(path.read_text(encoding="utf-8"))]
    unknown = [kind for kind in kinds if kind not in _KNOWN_MODULES]
    if unknown:
        raise InputError(
            f"{folder} uses the sentence-transformers module {unknown[0]!r}; "
            f"supported are {', '.join(sorted(_KNOWN_MODULES))}."
        )


def _pooling(folder: Path) -> Pooling:
    modes = _read(folder, "1_Pooling/config.json", optional=True)
    chosen = [key for key, value in modes.items() if key.startswith("pooling_mode") and value]
    if chosen in ([], ["pooling_mode_mean_tokens"]) or modes.get("pooling_mode") == "mean":
        return "mean"
    if chosen == ["pooling_mode_cls_token"] or modes.get("pooling_mode") == "cls":
        return "cls"
    raise InputError(f"{folder} pools with {', '.join(chosen)}; supported are mean and cls.")


def _special_ids(folder: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids that the tokenizer's post-processor puts before and after a text."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"{folder} has no tokenizer.json; save the fast tokenizer there first.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    plain: list[int] = tokenizer.encode("a", add_special_tokens=False).ids
    whole: list[int] = tokenizer.encode("a").ids
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return tuple(whole[:start]), tuple(whole[start + len(plain) :])
    raise InputError(f"{path}: cannot tell the special tokens from the text's own.")
