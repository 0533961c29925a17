"""Fits the shipped answerability checks on the samples, or a company's own on its questions, and publishes them.

One check for English questions, one for Chinese, one for passages in another language than the question's. A company's
own check may stand beside a reader; the shipped ones do not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.customer_service.answer import ACROSS
from apps.customer_service.checks import CHECK, load_published, save_checks
from apps.customer_service.data import OUT_OF_SCOPE, RagQuestion, read_labelled, read_questions
from apps.customer_service.folds import clusters
from apps.customer_service.model import Knowledge, family
from apps.customer_service.passages import fill
from apps.customer_service.reading import Gatherer
from apps.customer_service.service import build_service
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_reader import Folds, enough, items_of, near_items
from core.backends import load_encoder
from core.errors import InputError, ModelError
from core.generate.answerability import Answerability, Labelled, fit
from core.generate.features import FEATURES, features
from core.generate.reader import Reader
from core.models.artifacts import Artifact, ArtifactStore
from core.models.ownership import own_model
from core.progress import Report, quiet
from core.text import detect_language, parse_lenient
from core.types import Document

SAMPLES = Path(__file__).parent / "samples"
COLLECTIONS = (("documents", "questions.jsonl"), ("reports", "reports_questions.jsonl"))
"""Folders of documents with their labelled questions."""

_FEWEST = 20
"""Answerable and unanswerable questions that a fit of one's own needs, each."""

_QUESTIONS = "questions"
"""Of a manifest's source: the company's questions, by their hash; shipped checks know none."""

_VERSION = 3
"""Raised when the features or the fit change, so that published checks are made again."""


@dataclass(frozen=True)
class SampleQuestion:
    """A labelled question of the samples."""

    id: str
    text: str
    """Standing alone, where it was a follow-up."""
    language: str
    answerable: bool
    group: str
    split: str
    kind: str
    across: bool
    """Whether its answer stands in documents of another language only."""


def sample_documents(folder: str) -> list[Document]:
    """The documents of a collection under the ids that the questions use: `en/returns-policy`, `en/faq#12`."""
    found = []
    for path in sorted(p for p in (SAMPLES / folder).rglob("*") if p.is_file()):
        stem = path.relative_to(SAMPLES / folder).with_suffix("").as_posix()
        for document in parse_lenient(path).documents:
            row = document.source.rpartition("#")[2] if "#" in document.source else ""
            found.append(replace(document, id=f"{stem}#{row}" if row else stem))
    return found


def sample_questions(file: str, folder: str) -> Iterator[SampleQuestion]:
    """The labelled questions of a collection."""
    for line in (SAMPLES / file).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        about = row["doc_ids"] or row.get("about") or [row["id"]]
        homes = {key.split("/")[0] for key in row["doc_ids"]}
        yield SampleQuestion(
            row["id"],
            row.get("standalone") or row["question"],
            row["language"],
            row["answerable"],
            f"{folder}/{about[0]}",
            row["split"],
            row["kind"],
            bool(homes) and row["language"] not in homes,
        )


def sample_rows(knowledges: dict[str, Knowledge], *, split: str | None = None) -> dict[str, Labelled]:
    """Labelled feature rows by check, from the samples.

    Off-topic rows are questions of one collection asked of the other, and the out-of-scope messages of the intents.
    Rows of the check across languages: questions whose answer is in the other language only; and as those that have
    none, the unanswerable ones and off-topic ones.
    """
    rows: dict[str, list[tuple[Any, int, str]]] = {"en": [], "zh": [], ACROSS: []}
    questions = {folder: list(sample_questions(file, folder)) for folder, file in COLLECTIONS}
    for folder, asked in questions.items():
        for q in asked:
            if split is None or q.split == split:
                evidence = knowledges[folder].evidence(q.text, q.language, across=q.across)
                name = ACROSS if q.across else family(q.language)
                rows[name].append((features(evidence), int(q.answerable), q.group))
                if not q.answerable:
                    evidence = knowledges[folder].evidence(q.text, q.language, across=True)
                    rows[ACROSS].append((features(evidence), 0, q.group))
    for folder, other in (("documents", "reports"), ("reports", "documents")):
        for i, q in enumerate(questions[folder][::3]):
            if split is None or q.split == split:
                name = ACROSS if i % 2 else family(q.language)
                evidence = knowledges[other].evidence(q.text, q.language, across=name == ACROSS)
                rows[name].append((features(evidence), 0, q.group))
    for language in ("en", "zh") if split != "test" else ():
        for text in off_topic_texts(language):
            evidence = knowledges["documents"].evidence(text, language)
            rows[language].append((features(evidence), 0, f"off-topic/{text}"))
    return {name: _labelled(found) for name, found in rows.items()}


def off_topic_texts(language: str) -> list[str]:
    """Messages of the samples that no company's documents answer; none in other languages than theirs."""
    file = {"en": "intents.csv", "zh": "intents_zh.csv"}.get(language)
    return [row.text for row in read_labelled(SAMPLES / file).rows if row.label == OUT_OF_SCOPE] if file else []


def sample_knowledge(settings: CustomerServiceSettings) -> dict[str, Knowledge]:
    """Both collections in memory, under the encoders of the settings."""
    english, multilingual = load_encoder(settings), load_encoder(settings, settings.multilingual_encoder)
    found = {}
    for folder, _ in COLLECTIONS:
        found[folder] = Knowledge(english, multilingual, settings)
        fill(sample_documents(folder), found[folder])
    return found


def fit_checks(data: dict[str, Labelled], settings: CustomerServiceSettings) -> dict[str, Answerability]:
    """A check for each kind of question."""
    return {name: fit(rows, false_refusal=settings.false_refusal) for name, rows in data.items()}


def prepare_checks(
    settings: CustomerServiceSettings, *, force: bool = False, named: bool = False, progress: Report = quiet
) -> Artifact:
    """Fit and publish the checks, unless those published came from the same samples and encoders, or are the company's
    own.

    :param force: make the shipped checks again.
    :param named: the caller asked for the checks by name: they take the place of the company's own.
    :raises ArtifactDamaged: if the company's own are damaged; they are not replaced.
    """
    store = ArtifactStore(settings.models_folder)
    own = None if named else own_model(store, CHECK, _shipped)
    if own is not None:
        return own
    origin = _origin(settings)
    if not force:
        try:
            current = store.resolve(CHECK)
            source = current.manifest.source
        except ModelError:
            source = {}  # missing or damaged: made again
        if _shipped(source) and origin.items() <= source.items():
            return current
    progress("answerability", 0, 3)
    data = sample_rows(sample_knowledge(settings))
    progress("answerability", 1, 3)
    checks = fit_checks(data, settings)
    progress("answerability", 2, 3)
    published = _publish(checks, {}, store, origin)
    progress("answerability", 3, 3)
    return published


def train_answerability(questions: Path, settings: CustomerServiceSettings) -> dict[str, float | int | str]:
    """Fit the check on the company's own labelled questions, asked of the documents that were ingested, and publish it.

    Where enough of them have `spans`, a reader that orders the passages is trained too, and published with the check if
    it finds more on documents it has not seen. Without one the samples help to fit. Calibration and threshold come
    from the company's questions alone. Languages that the file does not have stay as they are.

    :param questions: JSONL with `question,answerable,doc_ids` and, for a reader, `spans`, as for `evaluate rag`.
    :raises InputError: if a language has fewer than 20 answerable or unanswerable questions, or nothing is ingested.
    """
    asked: dict[str, list[RagQuestion]] = {}
    for question in read_questions(questions).rows:
        asked.setdefault(family(detect_language(question.question)), []).append(question)
    for name, mine in asked.items():
        able = sum(q.answerable for q in mine)
        if min(able, len(mine) - able) < _FEWEST:
            raise InputError(
                f"{questions.name} has {able} answerable and {len(mine) - able} unanswerable questions in {name!r}; "
                f"label at least {_FEWEST} of each."
            )
    published = load_published(settings)
    checks, readers = dict(published.checks), dict(published.readers)
    service = build_service(settings.model_copy(update={"generator": "none"}))
    try:
        if not len(service.knowledge):
            raise InputError("No documents are ingested. Run `triptych customer-service ingest` first.")
        report: dict[str, float | int | str] = {}
        for name, mine in asked.items():
            check, reader, told = _fit_own(name, mine, service.knowledge, settings)
            checks[name] = check
            readers.pop(name, None)
            if reader is not None:
                readers[name] = reader
            at = next((p for p in reversed(check.curve) if p.false_refusal <= settings.false_refusal), check.curve[0])
            report |= {
                f"{name}_questions": len(mine),
                **{f"{name}_{key}": value for key, value in told.items()},
                f"{name}_false_refusal": at.false_refusal,
                f"{name}_caught": at.caught,
                f"{name}_threshold": check.threshold_for(settings.false_refusal),
            }
    finally:
        service.close()
    origin = {**_origin(settings), _QUESTIONS: hashlib.sha256(questions.read_bytes()).hexdigest()}
    made = _publish(checks, readers, ArtifactStore(settings.models_folder), origin)
    return report | {"version": made.version}


def _fit_own(
    name: str, questions: Sequence[RagQuestion], knowledge: Knowledge, settings: CustomerServiceSettings
) -> tuple[Answerability, Reader | None, dict[str, float]]:
    """The check of one language, the reader if it helps, and how often each order has a proving passage first."""
    gatherer, told = Gatherer(knowledge), {}
    gathered = [gatherer.gather(q.question, detect_language(q.question)) for q in questions]
    items = items_of(questions, gathered, knowledge)
    if enough(items):
        strangers = [gatherer.gather(text, name) for text in off_topic_texts(name)]
        folds = Folds([*items, *near_items(questions, gatherer)], strangers)
        told["first_read"], told["first_retrieved"] = folds.gain()
        if told["first_read"] > told["first_retrieved"]:
            return folds.check(false_refusal=settings.false_refusal), folds.reader(), told
    evidences = [knowledge.evidence(q.question, detect_language(q.question)) for q in questions]
    touches = [
        q.doc_ids or tuple(p.document_id for p in evidence.passages[:1]) or ("none",)
        for q, evidence in zip(questions, evidences, strict=True)
    ]
    cluster = clusters(touches)
    rows: list[tuple[Any, int, str]] = [
        (features(evidence), int(q.answerable), cluster[touched[0]])
        for q, evidence, touched in zip(questions, evidences, touches, strict=True)
    ]
    also = sample_rows(sample_knowledge(settings)).get(name)
    return fit(_labelled(rows), also=also, false_refusal=settings.false_refusal), None, told


def _publish(
    checks: Mapping[str, Answerability], readers: Mapping[str, Reader], store: ArtifactStore, origin: dict[str, Any]
) -> Artifact:
    return store.publish(CHECK, lambda folder: save_checks(folder, checks, readers), kind="check", source=origin)


def _origin(settings: CustomerServiceSettings) -> dict[str, Any]:
    digest = hashlib.sha256()
    for path in sorted(p for p in SAMPLES.rglob("*") if p.is_file()):
        digest.update(path.relative_to(SAMPLES).as_posix().encode())
        digest.update(path.read_bytes())
    return {
        "samples": digest.hexdigest(),
        "version": _VERSION,
        "features": len(FEATURES),
        "encoders": [settings.encoder, settings.multilingual_encoder, settings.precision],
    }


def _shipped(source: Mapping[str, Any]) -> bool:
    """Whether checks were fitted on the samples alone."""
    return "samples" in source and _QUESTIONS not in source


def _labelled(rows: Sequence[tuple[Any, int, str]]) -> Labelled:
    return Labelled(
        np.array([row for row, _, _ in rows], np.float32),
        np.array([label for _, label, _ in rows], np.int64),
        [group for _, _, group in rows],
    )
