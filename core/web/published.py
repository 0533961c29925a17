"""Published fine-tuned models over HTTP: what there is, and what a model says of texts.

Knows the artifact store and headed models; knows no app. A model is opened by its exact name when it is first asked,
while the others answer on, and taken anew when another version comes into force: publishing interrupts no request. The
least recently used ones are let go.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from core.backends import has_heads, open_heads
from core.backends.headed_onnx import OnnxHeads
from core.backends.reloading import Reloading
from core.errors import InputError, NotFound
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from core.web.auth import key_check
from core.web.part import Part
from core.web.settings import WebSettings

PREFIX = "/models"
OPEN_AT_ONCE = 4
MOST_TEXTS, LONGEST = 256, 20_000

Name = Annotated[str, Path(max_length=100, description="As `triptych models list` names it.")]
Text = Annotated[str, Field(max_length=LONGEST)]


class ModelOut(BaseModel):
    """A published model that answers here."""

    name: str
    version: str
    kind: str
    published: str


class Asked(BaseModel):
    """Texts, or pairs of a text and its `pairs` entry where the model reads pairs."""

    texts: list[Text] = Field(min_length=1, max_length=MOST_TEXTS)
    pairs: list[Text] | None = Field(None, max_length=MOST_TEXTS)


class LabelOut(BaseModel):
    """A label with its calibrated probability; of a reranker "score"."""

    label: str
    probability: float


class EntityOut(BaseModel):
    """A run of the text's characters."""

    start: int
    end: int
    label: str
    probability: float


class Said(BaseModel):
    """Of one text: labels by head, and entities of a tagger."""

    labels: dict[str, list[LabelOut]] = {}
    entities: list[EntityOut] | None = None


class Answered(BaseModel):
    """In the order of the texts."""

    model: str
    version: str
    """The version that answered."""
    results: list[Said]


@dataclass(slots=True)
class _Place:
    """Of one name: what is open, and who opens it."""

    opening: threading.Lock = field(default_factory=threading.Lock)
    model: Reloading[OnnxHeads] | None = None


class Shelf:
    """The models that are open. Safe between threads."""

    def __init__(self, settings: CoreSettings, *, most: int = OPEN_AT_ONCE) -> None:
        self.settings, self.most = settings, most
        self.store = ArtifactStore(settings.models_folder)
        self._open: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def model(self, name: str) -> Reloading[OnnxHeads]:
        """The model published under exactly that name, opened if need be. Only calls for the same name wait for it.

        :raises NotFound: if nothing is published under the name.
        :raises InputError: if it is no name, or what is published under it is of a kind that does not answer here.
        """
        place = self._place(name)
        try:
            with place.opening:
                if place.model is None:
                    place.model = Reloading(functools.partial(open_heads, self.settings), self.store, name)
                model = place.model
        except BaseException:
            with self._lock:
                if self._open.get(name) is place:
                    del self._open[name]
            raise
        self._let_go()
        return model

    def _place(self, name: str) -> _Place:
        with self._lock:
            if name not in self._open:
                if self.store.current(name) is None:
                    raise NotFound(f"No model {name!r} is published; `triptych models list` shows what is.")
                self._open[name] = _Place()
            self._open.move_to_end(name)
            return self._open[name]

    def _let_go(self) -> None:
        """The least recently used models, where too many are open; calls under way keep theirs."""
        with self._lock:
            for name in [name for name, place in self._open.items() if place.model is not None][: -self.most]:
                del self._open[name]

    def say(self, name: str, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Answered:
        """What a model says of each text.

        :raises InputError: if pairs are missing, too many, or not read by the model.
        """
        if pairs is not None and len(pairs) != len(texts):
            raise InputError(f"{len(texts)} texts came with {len(pairs)} pairs; every text needs one.")
        with self.model(name).use() as (model, version):
            if model.task.task == "tagger":
                found = [
                    Said(
                        entities=[
                            EntityOut(start=e.start, end=e.end, label=e.label, probability=e.probability) for e in row
                        ]
                    )
                    for row in model.spans(texts)
                ]
            else:
                found = [
                    Said(
                        labels={
                            head: [LabelOut(label=p.label, probability=p.probability) for p in predictions]
                            for head, predictions in row.items()
                        }
                    )
                    for row in model.labels(texts, pairs)
                ]
        return Answered(model=name, version=version, results=found)


def published_part(settings: CoreSettings, web: WebSettings) -> Part:
    """Routes under `/models`; for whoever has the admin key, where one is set."""
    shelf = Shelf(settings)
    router = APIRouter(prefix=PREFIX, tags=["models"], dependencies=[Depends(key_check(web.admin_key))])

    @router.get("", summary="Published models that answer here")
    def models() -> list[ModelOut]:
        found = [a for a in shelf.store.list() if a.current and has_heads(a)]
        return [
            ModelOut(name=a.name, version=a.version, kind=a.manifest.kind, published=a.manifest.created) for a in found
        ]

    @router.post("/{name}/predict", summary="What a model says of texts")
    def predict(name: Name, asked: Asked) -> Answered:
        return shelf.say(name, asked.texts, asked.pairs)

    return Part(
        name="models",
        path="",
        title={"en": "Models", "zh": "模型"},
        summary={"en": "Published models over HTTP.", "zh": "通过 HTTP 使用已发布的模型。"},
        routers=[router],
        ready=lambda: {"models": "ok"},
        limited_places=[f"{PREFIX}/"],
    )
