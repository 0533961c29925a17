"""What the monitor makes of a text: sentiment and topics, from one pass of an encoder for each language.

English is read by the English encoder, everything else by the multilingual one; both beside the text's own words and
characters (`wording`). A desk's own training may bring a tuned encoder along; sentiment and topics that share one share
its pass. Knows texts and published heads; nothing of HTTP, SQL or how heads are fitted (`train`). Needs neither
scikit-learn nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from apps.finance_sentiment.schemas import Labels
from apps.finance_sentiment.sentences import parts, spread, whole_sentiment, whole_topics
from apps.finance_sentiment.wording import views
from core.backends import load_encoder
from core.backends.base import Encoder
from core.backends.headed_onnx import OnnxHeads
from core.errors import ArtifactDamaged, InputError, ModelNotPrepared
from core.heads.features import FeatureHead
from core.models.artifacts import Artifact, ArtifactStore
from core.settings import CoreSettings
from core.types import FloatArray

Task = Literal["sentiment", "topics"]

ARTIFACTS: Mapping[Task, str] = {"sentiment": "finance-sentiment", "topics": "finance-topics"}
"""Published names of the two heads; the shipped ones are their first versions, a desk's own the later ones."""

FAMILIES = ("en", "zh")
"""English, and Chinese with every other language."""

DESCRIPTION_FILE = "reading.json"
TUNED_FOLDER = "tuned"
_MOST = 512  # parts of texts that go through the encoders at a time: bounds memory


def family(language: str) -> str:
    """The family of a language: what has no letters goes with English.

    :param language: ISO 639-1 code, or "und".
    """
    return "en" if language in ("en", "und") else "zh"


@dataclass(frozen=True, slots=True)
class Reading:
    """A head for one family of languages, and the encoders it reads with."""

    head: FeatureHead
    encoder: str = ""
    """Name of the frozen encoder, without its precision; empty where the head uses none."""
    tuned: tuple[OnnxHeads, ...] = field(default=(), compare=False)
    """Tuned encoders; each has a head of the task's name."""

    def save(self, folder: Path) -> None:
        """Write the head and what it reads with; the folders of tuned encoders are the caller's to write."""
        self.head.save(folder)
        described = {"encoder": self.encoder, "tuned": len(self.tuned)}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(described) + "\n", "utf-8")


Open = Callable[[Path], OnnxHeads]


class FinanceModel:
    """Texts to labels. Safe between threads: nothing changes after it is made."""

    def __init__(self, readings: Mapping[tuple[Task, str], Reading], encoders: Mapping[str, Encoder]) -> None:
        """Put the parts together.

        :param readings: by task ("sentiment", "topics") and family.
        :param encoders: by name without precision, as the readings name them.
        :raises InputError: if a reading names an encoder that is not there.
        """
        self.readings, self.encoders = dict(readings), dict(encoders)
        for (task, home), reading in self.readings.items():
            if reading.encoder and reading.encoder not in self.encoders:
                has = ", ".join(self.encoders) or "none"
                raise InputError(
                    f"The {task} model for {home!r} was trained with the encoder {reading.encoder!r}; the encoders "
                    f"here are {has}. Train it again: `triptych finance train {task}`."
                )

    @classmethod
    def load(cls, settings: CoreSettings, *, encoders: Sequence[Encoder] | None = None) -> FinanceModel:
        """The published heads, each checked against its manifest, and the encoders they read with.

        :param encoders: already loaded ones; None loads those of the settings.
        :raises ModelNotPrepared: if nothing is published: run `triptych models prepare`.
        :raises ArtifactDamaged: if a file differs from its manifest.
        """
        store = ArtifactStore(settings.models_folder)
        readings: dict[tuple[Task, str], Reading] = {}
        opened: dict[str, OnnxHeads] = {}

        def open_once(folder: Path, artifact: Artifact) -> OnnxHeads:
            place = folder.relative_to(artifact.folder).as_posix()
            digest = str(artifact.manifest.files[f"{place}/model.onnx"]["sha256"])
            if digest not in opened:
                opened[digest] = OnnxHeads(folder, provider=settings.provider, threads=settings.threads)
            return opened[digest]

        for task, name in ARTIFACTS.items():
            artifact = store.resolve(name)
            for home in FAMILIES:
                if (artifact.folder / home).is_dir():
                    opener: Open = lambda folder, a=artifact: open_once(folder, a)  # type: ignore[misc]  # noqa: E731
                    readings[task, home] = load_reading(artifact.folder / home, opener)
        wanted = {reading.encoder for reading in readings.values() if reading.encoder}
        return cls(readings, by_name(encoders if encoders is not None else frozen_encoders(settings), wanted))

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics it may give."""
        heads = [r.head for (task, _), r in self.readings.items() if task == "topics"]
        return tuple(dict.fromkeys(label for head in heads for label in head.labels))

    def label(self, texts: Sequence[str], languages: Sequence[str]) -> list[Labels]:
        """Sentiment and topics of every text.

        :param languages: ISO 639-1 code of each.
        """
        homes = [family(language) for language in languages]
        sentiment, topics = self.probabilities(("sentiment", "topics"), texts, homes)
        out = []
        for home, feeling, about in zip(homes, sentiment, topics, strict=True):
            head = self.reading("topics", home).head
            named = np.flatnonzero(head.chosen(about[None])[0])
            likely = sorted(named.tolist(), key=lambda i: -float(about[i]))
            negative, neutral, positive = (float(p) for p in feeling)
            out.append(Labels(negative, neutral, positive, {head.labels[i]: float(about[i]) for i in likely}))
        return out

    def label_entities(self, clauses: Mapping[str, str], language: str) -> dict[str, Labels]:
        """Sentiment towards each company, from the words about it; topics are the text's own and stay empty.

        :param clauses: text by company.
        """
        if not clauses:
            return {}
        (found,) = self.probabilities(("sentiment",), list(clauses.values()), [family(language)] * len(clauses))
        return {
            company: Labels(float(row[0]), float(row[1]), float(row[2]))
            for company, row in zip(clauses, found, strict=True)
        }

    def probabilities(
        self, tasks: Sequence[Task], texts: Sequence[str], homes: Sequence[str]
    ) -> tuple[list[FloatArray], ...]:
        """For each task, (k,) float32 probabilities of every text, in the order of its head's labels.

        :param tasks: "sentiment", "topics" or both: then the encoders run once.
        :param homes: family of each text.
        """
        out: list[list[FloatArray]] = [[np.zeros(0, np.float32)] * len(texts) for _ in tasks]
        for home in dict.fromkeys(homes):
            places = [i for i, each in enumerate(homes) if each == home]
            for each, found in zip(out, self._family(tasks, home, [texts[i] for i in places]), strict=True):
                for i, row in zip(places, found, strict=True):
                    each[i] = row
        return tuple(out)

    def _family(self, tasks: Sequence[Task], home: str, texts: Sequence[str]) -> list[list[FloatArray]]:
        """For each task, what is said of every text."""
        cut = [parts(text, home) for text in texts]
        flat = [part for each in cut for part in each]
        blocks = [self._parts(tasks, home, flat[i : i + _MOST]) for i in range(0, len(flat), _MOST)]
        where = spread([len(each) for each in cut])
        said = []
        for i, task in enumerate(tasks):
            found = np.concatenate([block[i] for block in blocks])
            join = whole_sentiment if task == "sentiment" else whole_topics
            said.append([join(found[each]) for each in where])
        return said

    def _parts(self, tasks: Sequence[Task], home: str, texts: list[str]) -> list[FloatArray]:
        """For each task, (n, k) probabilities; every encoder runs once."""
        readings = [self.reading(task, home) for task in tasks]
        rows = {"": np.zeros((len(texts), 0), np.float32)}
        for name in dict.fromkeys(reading.encoder for reading in readings if reading.encoder):
            rows[name] = self.encoders[name].encode(texts)
        tuned = {id(each): each for reading in readings for each in reading.tuned}
        logits = {key: each.logits(texts) for key, each in tuned.items()}
        read = views(texts)
        return [
            reading.head.probabilities(rows[reading.encoder], read, [logits[id(each)][task] for each in reading.tuned])
            for task, reading in zip(tasks, readings, strict=True)
        ]

    def reading(self, task: Task, home: str) -> Reading:
        """What reads texts of this family: its own, or the one there is, where a model knows fewer languages.

        :raises ModelNotPrepared: if nothing of this task is published.
        """
        found = next((self.readings[task, each] for each in (home, *FAMILIES) if (task, each) in self.readings), None)
        if found is None:
            raise ModelNotPrepared(f"No {task} model is published. Run `triptych models prepare`.")
        return found


def load_reading(folder: Path, open_tuned: Open) -> Reading:
    """Read what `Reading.save` wrote.

    :raises ArtifactDamaged: if a file is missing or unreadable.
    """
    try:
        described = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
        encoder, tuned = str(described["encoder"]), int(described["tuned"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactDamaged(f"{folder} holds no readable model ({error}); train it again.") from error
    opened = tuple(open_tuned(folder / f"{TUNED_FOLDER}-{i}") for i in range(tuned))
    return Reading(FeatureHead.load(folder), encoder, opened)


def frozen_encoders(settings: CoreSettings) -> list[Encoder]:
    """The encoders of the settings that are prepared: the English one, then the multilingual one.

    :raises ModelNotPrepared: if one is not prepared.
    """
    return [load_encoder(settings, name) for name in dict.fromkeys((settings.encoder, settings.multilingual_encoder))]


def plain_name(encoder: Encoder) -> str:
    """Its name without the precision: int8 and fp16 of one encoder give the same rows but for the third digit."""
    name, _, precision = encoder.name.rpartition("-")
    return name if precision in ("int8", "fp16", "fp32") else encoder.name


def by_name(encoders: Sequence[Encoder], wanted: set[str] | None = None) -> dict[str, Encoder]:
    """Encoders by their plain names; only those wanted, if given."""
    found = {plain_name(encoder): encoder for encoder in encoders}
    return {name: encoder for name, encoder in found.items() if wanted is None or name in wanted}
