from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.answer import ACROSS
from apps.customer_service.checks import CHECK
from apps.customer_service.model import Knowledge
from apps.customer_service.passages import fill
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_checks import (
    COLLECTIONS,
    fit_checks,
    prepare_checks,
    sample_documents,
    sample_questions,
    sample_rows,
)
from core.backends.fake import FakeEncoder
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.generate.features import FEATURES
from core.models.artifacts import ArtifactStore


@pytest.mark.parametrize(("folder", "file"), COLLECTIONS)
def test_every_sample_question_names_documents_that_are_there(folder: str, file: str) -> None:
    ids = {document.id for document in sample_documents(folder)}
    questions = list(sample_questions(file, folder))
    assert len({q.id for q in questions}) == len(questions)
    assert all(q.group.startswith(f"{folder}/") for q in questions)
    for language in ("en", "zh"):
        mine = [q for q in questions if q.language == language]
        assert sum(not q.answerable for q in mine) >= 20
        assert sum(q.answerable for q in mine) >= 20
    assert all(q.answerable for q in questions if q.across)
    assert any("#" in id_ for id_ in ids) or folder == "reports"


def test_rows_of_all_three_checks_come_from_the_samples() -> None:
    """A few of the questions, over fake encoders: what counts here is which rows go where."""
    settings = CustomerServiceSettings()
    knowledges = {}
    for folder, _ in COLLECTIONS:
        knowledges[folder] = Knowledge(FakeEncoder(64, name="en"), FakeEncoder(32, name="m3"), settings)
        fill(sample_documents(folder)[::9], knowledges[folder])
    rows = sample_rows(knowledges, split="test")
    assert set(rows) == {"en", "zh", ACROSS}
    for data in rows.values():
        assert data.rows.shape == (len(data), len(FEATURES))
        assert set(np.unique(data.labels)) == {0, 1}
        assert np.isfinite(data.rows).all()
    checks = fit_checks(rows, settings)
    for name, check in checks.items():
        curve = np.array([[p.false_refusal, p.caught] for p in check.curve])
        assert (np.diff(curve, axis=0) >= -1e-6).all(), name
        assert check.threshold_for(0.0) <= check.threshold_for(0.1)


def test_a_companys_own_checks_are_never_replaced_unless_they_are_named(tmp_path: Path) -> None:
    settings = CustomerServiceSettings(home=tmp_path)
    store = ArtifactStore(settings.models_folder)

    def build(target: Path) -> None:
        (target / "en.json").write_text("{}", encoding="utf-8")

    old = {"samples": "of an earlier release", "version": 1}
    own = store.publish(CHECK, build, kind="check", source={**old, "questions": "a hash"})
    for force in (False, True):
        assert prepare_checks(settings, force=force) == own
    with pytest.raises(ModelNotPrepared, match="minilm"):  # there is no encoder here: it set to work
        prepare_checks(settings, named=True)
    (own.folder / "en.json").write_text("{ }", encoding="utf-8")
    with pytest.raises(ArtifactDamaged, match="is your own, so no shipped"):
        prepare_checks(settings, force=True)
    (own.folder / "manifest.json").unlink()
    store.publish(CHECK, build, kind="check", source=old)
    with pytest.raises(ModelNotPrepared):  # shipped ones of an earlier release are made again
        prepare_checks(settings)


@pytest.mark.models
def test_published_checks_are_taken_as_they_are(models_home: Path) -> None:
    settings = CustomerServiceSettings(home=models_home)
    first = prepare_checks(settings)
    assert prepare_checks(settings).version == first.version
