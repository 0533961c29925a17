"""Fine-tuned classifiers, taggers and rerankers on onnxruntime. Needs neither torch nor transformers.

Knows the exported folder (`model.onnx`, `tokenizer.json`, `task.json`, `tokens.json`) and what each kind of head
means; nothing of training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.backends.encoder import TOKEN_BUDGET, TOKEN_BUDGET_GPU, batches
from core.backends.entities import OUTSIDE, Entity, entities
from core.backends.headed_tokens import Row, RowTokenizer, TokenConfig
from core.backends.providers import ProviderOptions, create_session, memory, run
from core.errors import ArtifactDamaged, InputError
from core.models.task import Head, TaskConfig
from core.settings import Provider
from core.text.tagwords import split_words
from core.text.tokens import word_spans
from core.types import FloatArray, IntArray, Prediction

MODEL_FILE = "model.onnx"

_WINDOW = 4096
_HALF = 0.5


class OnnxHeads:
    """An exported model with heads; every answer comes under the name of its head."""

    def __init__(
        self,
        folder: Path,
        *,
        provider: Provider = "cpu",
        threads: int = 2,
        spin: bool = False,
        options: ProviderOptions | None = None,
    ) -> None:
        """Open what `core.export.headed` wrote.

        :param threads: CPU threads of one forward pass.
        :param spin: see `core.backends.providers.create_session`.
        :param options: of a GPU provider.
        :raises ArtifactDamaged: if a file is missing, unreadable, or the graph is not that of its description.
        :raises ProviderUnavailable: if another provider than asked would run.
        """
        self.task = TaskConfig.load(folder)
        self.tokenizer = RowTokenizer(folder, TokenConfig.load(folder), self.task.max_tokens)
        self._session = create_session(folder / MODEL_FILE, provider, threads, spin=spin, options=options)
        self._memory = memory(provider)
        self.token_budget = TOKEN_BUDGET if provider == "cpu" else TOKEN_BUDGET_GPU
        self._typed = any(each.name == "token_type_ids" for each in self._session.get_inputs())
        outputs = {each.name for each in self._session.get_outputs()}
        missing = [head.name for head in self.task.heads if head.name not in outputs]
        if missing or not self.task.heads:
            raise ArtifactDamaged(
                f"{folder / MODEL_FILE} has no output for the head {missing[0] if missing else 'it should have'!r}; "
                "export the model again."
            )

    @property
    def name(self) -> str:
        """Name and precision, as in "intents-int8"."""
        return self.tokenizer.config.full_name

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens."""
        return self.task.max_tokens

    @property
    def provider(self) -> str:
        """onnxruntime's name of what computes."""
        return str(self._session.get_providers()[0])

    def forward(self, feed: Mapping[str, IntArray]) -> dict[str, FloatArray]:
        """Logits of one padded batch by head: (n, k), or (n, t, k) for a "token" head; float32.

        :param feed: (n, t) int64 `input_ids`, `attention_mask`, and `token_type_ids` where the graph reads them.
        """
        names = [head.name for head in self.task.heads]
        found = run(self._session, names, feed, self._memory)
        return {name: np.asarray(rows, dtype=np.float32) for name, rows in zip(names, found, strict=True)}

    def logits(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, batch_size: int = 32
    ) -> dict[str, FloatArray]:
        """(n, k) float32 by head, in the order given, temperature not applied; "token" heads are left out.

        Texts of like length share a batch.

        :param pairs: the second text of each pair, where the model reads pairs.
        :param batch_size: rows of one batch at most.
        :raises InputError: if the model reads pairs and there are none, or the other way round.
        """
        heads = [head for head in self.task.heads if head.kind != "token"]
        out = {head.name: np.empty((len(texts), len(head.labels)), dtype=np.float32) for head in heads}
        self._check(pairs)
        for start in range(0, len(texts), _WINDOW):
            part = slice(start, start + _WINDOW)
            rows = self.tokenizer.rows(texts[part], None if pairs is None else pairs[part])
            for places, found in self._run(rows, batch_size):
                for head in heads:
                    out[head.name][start + places] = found[head.name]
        return out

    def probabilities(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, batch_size: int = 32
    ) -> dict[str, FloatArray]:
        """(n, k) float32 by head: rows of a "single" head sum to 1, those of the others are probabilities each."""
        logits = self.logits(texts, pairs, batch_size=batch_size)
        return {name: head_probabilities(self.task.head(name), rows) for name, rows in logits.items()}

    def labels(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, batch_size: int = 32
    ) -> list[dict[str, list[Prediction]]]:
        """What each head says of each text: the likeliest label of a "single" head, all labels of a "multi" head that
        reach their threshold, likeliest first; of a "score" head its one number.
        """
        found = self.probabilities(texts, pairs, batch_size=batch_size)
        return [
            {name: choose(self.task.head(name), rows[i]) for name, rows in found.items()} for i in range(len(texts))
        ]

    def scores(self, queries: Sequence[str], passages: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """(n,) float32: calibrated probability that a passage answers its query.

        :raises InputError: if the model has no "score" head.
        """
        heads = [head.name for head in self.task.heads if head.kind == "score"]
        if not heads:
            raise InputError(f"{self.name} has no score head; its heads are {self._heads()}.")
        return self.probabilities(queries, passages, batch_size=batch_size)[heads[0]][:, 0]

    def spans(self, texts: Sequence[str], head: str | None = None, *, batch_size: int = 32) -> list[list[Entity]]:
        """The entities of each text, with their characters. A long text is read in
        several runs of whole words.

        :param head: the name of a "token" head; None means the first one.
        :raises InputError: if there is no such head.
        """
        chosen = self._token_head(head)
        places = [word_spans(text) for text in texts]
        words = [[text[a:b] for a, b in spans] for text, spans in zip(texts, places, strict=True)]
        return [
            entities(spans, *found)
            for spans, found in zip(places, self._tagged(chosen, words, batch_size), strict=True)
        ]

    def tags(
        self, sentences: Sequence[Sequence[str]], head: str | None = None, *, batch_size: int = 32
    ) -> list[list[str]]:
        """The tag of every word of sentences that are split into words already. A word of several parts ("U.S.", or
        Chinese characters) has the tag of its first one; a word without tokens is outside.

        :raises InputError: if there is no such head.
        """
        chosen = self._token_head(head)
        split = [split_words(words) for words in sentences]
        found = self._tagged(chosen, [parts for parts, _ in split], batch_size)
        return [[tags[i] for i in firsts] for (tags, _), (_, firsts) in zip(found, split, strict=True)]

    def _token_head(self, name: str | None) -> Head:
        for head in self.task.heads:
            if head.kind == "token" and name in (None, head.name):
                return head
        raise InputError(f"{self.name} has no token head {name or ''!r}; its heads are {self._heads()}.")

    def _tagged(
        self, head: Head, sentences: Sequence[Sequence[str]], batch_size: int
    ) -> Iterator[tuple[list[str], list[float]]]:
        """Tag and probability of every word, sentence by sentence."""
        nothing = OUTSIDE if OUTSIDE in head.labels else head.labels[0]
        for start in range(0, len(sentences), _WINDOW):
            part = sentences[start : start + _WINDOW]
            rows = self.tokenizer.words(part)
            said = [([nothing] * len(words), [0.0] * len(words)) for words in part]
            for batch, found in self._run([each.row for each in rows], batch_size):
                for i, logits in zip(batch, found[head.name], strict=True):
                    row = rows[int(i)]
                    tags, sure = said[row.sentence]
                    chances = head_probabilities(head, logits[row.first])
                    for word, (place, each) in enumerate(zip(row.first, chances, strict=True), row.start):
                        if place >= 0:
                            tags[word], sure[word] = head.labels[int(each.argmax())], float(each.max())
            yield from said

    def _run(self, rows: Sequence[Row], batch_size: int) -> list[tuple[IntArray, dict[str, FloatArray]]]:
        return [
            (places, self.forward(self.tokenizer.pad([rows[int(i)] for i in places], types=self._typed)))
            for places in batches([len(row.ids) for row in rows], batch_size, self.token_budget)
        ]

    def _check(self, pairs: Sequence[str] | None) -> None:
        if self.task.pairs and pairs is None:
            raise InputError(f"{self.name} reads pairs of texts; give the second text of each.")
        if not self.task.pairs and pairs is not None:
            raise InputError(f"{self.name} reads single texts; it was not trained on pairs.")

    def _heads(self) -> str:
        return ", ".join(f"{head.name} ({head.kind})" for head in self.task.heads)


def head_probabilities(head: Head, logits: FloatArray) -> FloatArray:
    """(..., k) float32 probabilities: softmax of logits / temperature for "single" and "token" heads, else sigmoid of
    logits / temperature + shift.
    """
    scaled = logits.astype(np.float64) / head.temperature
    if head.kind in ("single", "token"):
        raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)
    return np.asarray(0.5 * (1 + np.tanh((scaled + head.shift) / 2)), dtype=np.float32)


def choose(head: Head, probabilities: FloatArray) -> list[Prediction]:
    """What a head says, from its (k,) probabilities."""
    if head.kind == "multi":
        limits = head.thresholds or (_HALF,) * len(head.labels)
        chosen = [i for i in np.argsort(-probabilities, kind="stable") if probabilities[i] >= limits[i]]
    else:
        chosen = [probabilities.argmax()]
    return [Prediction(head.labels[i], float(probabilities[i])) for i in chosen]
