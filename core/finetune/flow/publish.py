"""From a finished run to a published model: export, compare, measure the export, refuse a worse one, write the card.

Knows runs, exporters and the artifact store. Whatever fails, the version in force stays in force.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from core.errors import ArtifactDamaged, Conflict, InputError, ModelNotPrepared
from core.finetune.args import TrainArgs
from core.finetune.data import Labelled, Pair, Tagged
from core.finetune.flow.judge import judge_export
from core.finetune.flow.learn import RELIABILITY, Learned
from core.finetune.flow.measure import Measured
from core.finetune.flow.recipe import flat
from core.finetune.flow.tasks import find_task
from core.finetune.tracking import CURVES
from core.models import training_card
from core.models.artifacts import Artifact, ArtifactStore
from core.models.card import FILE_NAME
from core.models.task import FILE_NAME as TASK_FILE
from core.models.task import TaskConfig

_SAMPLES = 200
_BACKBONE = "backbone"
_PROMPTS = (
    "Which documents do I need to open an account?",
    "My parcel has not arrived yet.",
    "Write two sentences about the sea.",
    "How do I change my address?",
)


@dataclass(frozen=True, slots=True)
class Published:
    """A version in force, and how good it is as it will be served."""

    artifact: Artifact
    parity: Mapping[str, Any]
    exported: Measured | None
    """Measured on the test rows through onnxruntime; None for chat models and without rows."""


def publish(
    learned: Learned,
    args: TrainArgs,
    store: ArtifactStore,
    name: str,
    *,
    precision: str = "",
    force: bool = False,
    cache: Path | None = None,
) -> Published:
    """Export a finished run, prove it and put it in force under a name.

    :param precision: "fp32", "fp16", "int8", "int8-static" ("int4" and others for chat); empty is the task's usual one.
    :param force: publish even where the version in force scored better on the same test rows.
    :param cache: where converted decoders are kept.
    :raises ParityFailed: if the export differs from torch by more than its tolerance.
    :raises Conflict: if the version in force is better on the same rows and `force` is not set.
    :raises InputError: if the task's result is not for serving, or no such precision is made for it.
    """
    task = find_task(learned.task)
    kind = task.kind or _kind_of_pretrained(learned)
    chosen = precision or task.precision or ("int4" if kind == "generator" else "int8")
    found: dict[str, Any] = {}

    def build(target: Path) -> Mapping[str, Any]:
        found["parity"] = _export(learned, kind, chosen, target, name, cache)
        rows = learned.data.test
        exported = judge_export(target, rows, learned.data.rows, threads=args.threads) if rows else None
        found["exported"] = exported
        score = exported or learned.measured
        if score is not None and not force:
            _refuse_worse(store, name, learned.data.test_fingerprint, score.score)
        pictures = {}
        for caption, file in (("Learning curves", CURVES), ("Reliability", RELIABILITY)):
            if (learned.run.folder / file).is_file():
                shutil.copyfile(learned.run.folder / file, target / file)
                pictures[caption] = file
        facts = {**_facts(learned, args, chosen), "parity": found["parity"], "pictures": pictures}
        if exported is not None:
            facts["exported"] = _numbers(exported.figures)
        (target / FILE_NAME).write_text(training_card.render(name, facts), encoding="utf-8")
        evaluation = {"test": learned.data.test_fingerprint, **(_numbers(score.figures) if score else {})}
        return {"parity": found["parity"], "metadata": {"evaluation": evaluation, "run": learned.run.folder.name}}

    source = {
        "task": learned.task,
        "base": learned.record["base"]["name"],
        "licence": learned.record["base"]["licence"],
        "precision": chosen,
        "data": learned.data.report.fingerprint,
        "run": learned.run.folder.name,
    }
    artifact = store.publish(name, build, kind=kind, source=source)
    return Published(artifact, found["parity"], found["exported"])


def samples_of(rows: Sequence[Any], most: int = _SAMPLES) -> list[Any]:
    """Texts, or pairs of texts, of rows at even steps: what an export is compared on."""
    out: list[Any] = []
    for row in rows[:: max(1, -(-len(rows) // most))] if rows else ():
        if isinstance(row, Labelled):
            out.append(row.text if row.pair is None else (row.text, row.pair))
        elif isinstance(row, Pair):
            out.append((row.query, row.positive))
        elif isinstance(row, Tagged):
            out.append(row.body)
    return out


def _export(learned: Learned, kind: str, precision: str, target: Path, name: str, cache: Path | None) -> dict[str, Any]:
    """Write the export into `target`; the parity report."""
    if kind == "generator":
        return _export_decoder(learned, precision, target, name, cache)
    if kind == "encoder":
        from core.export.encoder import export_encoder

        languages = TaskConfig.load(learned.model).languages
        folder = learned.model / _BACKBONE
        reports = export_encoder(folder, {precision: target}, name=name, languages=languages)
        return reports[precision].to_dict()
    from core.export.headed import export_headed

    made = export_headed(
        learned.model,
        {precision: target},
        name=name,
        samples=samples_of(learned.data.test),
        calibration=samples_of(learned.data.rows) if precision == "int8-static" else (),
    )
    report: dict[str, Any] = made[precision].to_dict()
    return report


def _export_decoder(learned: Learned, precision: str, target: Path, name: str, cache: Path | None) -> dict[str, Any]:
    from core.export.decoder import DecoderPrecision, check_parity, decoder_parity, export_decoder

    weights = learned.model / _BACKBONE
    languages = TaskConfig.load(learned.model).languages
    with tempfile.TemporaryDirectory(prefix="triptych-export-", dir=learned.run.folder) as work:
        made = Path(work) / "made"
        export_decoder(
            weights, made, precision=cast("DecoderPrecision", precision), name=name, languages=languages, cache=cache
        )
        report = decoder_parity(weights, made, _PROMPTS)
        check_parity(report)
        for file in sorted(made.iterdir()):
            shutil.move(file, target / file.name)
    shutil.copyfile(learned.model / TASK_FILE, target / TASK_FILE)
    return report


def _kind_of_pretrained(learned: Learned) -> str:
    architecture = TaskConfig.load(learned.model).architecture
    if architecture == "decoder":
        return "generator"
    raise InputError(
        f"A pre-trained encoder is not served by itself: train on it with --set backbone={learned.model}, "
        "and publish what comes of that."
    )


def _refuse_worse(store: ArtifactStore, name: str, test: str, score: float) -> None:
    try:
        current = store.resolve(name, verify=False)
    except (ModelNotPrepared, ArtifactDamaged):
        return
    told = dict(dict(current.manifest.values.get("metadata", {})).get("evaluation", {}))
    if told.get("test") == test and float(told.get("score", 0.0)) > score + 1e-9:
        raise Conflict(
            f"{name} {current.version}, which is in force, scored {told['score']:.4f} on the same rows, this one "
            f"{score:.4f}: not published, {current.version} stays. Pass --force to publish it all the same."
        )


def _facts(learned: Learned, args: TrainArgs, precision: str) -> dict[str, Any]:
    measured = learned.measured
    return {
        "task": learned.task,
        "precision": precision,
        "base": learned.record["base"],
        "data": learned.data.as_dict(),
        "options": changed(args),
        "training": learned.record,
        "figures": _numbers(measured.figures) if measured else {},
        "reports": {name: report.as_dict() for name, report in measured.reports.items()} if measured else {},
        "hardware": hardware(args.threads),
        "commit": commit(),
    }


def changed(args: TrainArgs) -> dict[str, Any]:
    """Options that differ from their defaults, by dotted name."""
    return dict(flat(args.model_dump(mode="json", exclude_defaults=True)))


def _numbers(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if isinstance(value, int | float | list)}


def hardware(threads: int) -> str:
    """The processor, and the GPU where training would use one."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{cpu}, {threads} threads{gpu}"


def commit() -> str | None:
    """The commit of this code, with "+" where files differ from it; None outside a git checkout."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
