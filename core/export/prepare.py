"""Everything a server needs, exported once: what the settings name is exported, proved and published.

Safe to stop and to run again: each model is published as soon as it is proved, and what is published from the same
source by the same exporter is left alone; so is what the company published itself under such a name. Needs the extra
`train`; knows every exporter, is imported by no server.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from core.backends.generators import decoder_precision
from core.backends.providers import resolve_precision
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.models import card
from core.models.artifacts import Artifact, ArtifactStore
from core.models.catalog import Architecture, Source, find
from core.models.files import Lock
from core.models.ownership import own_model
from core.progress import Report, quiet
from core.settings import CoreSettings

EXPORTERS: Mapping[Architecture, int] = {"transformer": 4, "use": 3, "decoder": 2}
"""Version of each exporter; raised when the files it writes change, so that older exports are made again."""

_PASSAGES = (
    (
        "The early closure fee is $50 if the account is closed within 90 days of opening.",
        "What does early closure cost?",
    ),
    ("Express delivery of a card takes 2 working days and costs $12.", "How long does express delivery take?"),
    ("You can change your PIN at any cash machine of the bank, under PIN services.", "Where do I change my PIN?"),
)
PROMPTS = tuple(f"Answer from the passage only.\n\nPassage: {text}\n\nQuestion: {asked}" for text, asked in _PASSAGES)
"""What decoders are compared on."""

_WORK = ".export-"


@dataclass(frozen=True, slots=True)
class _Job:
    """One source and the artifacts made of it in one go."""

    source: Source
    architecture: Architecture
    targets: Mapping[str, str]
    """Precision by published name."""
    provider: str = ""

    def origin(self) -> dict[str, Any]:
        """What two exports must share to be the same, without the hash."""
        made = {"name": self.source.name, "from": self.source.described, "exporter": EXPORTERS[self.architecture]}
        return {**made, "provider": self.provider} if self.provider else made


def prepare(
    settings: CoreSettings,
    names: Sequence[str] | None = None,
    *,
    force: bool = False,
    progress: Report = quiet,
) -> list[Artifact]:
    """Export and publish models; the published artifacts, those left alone included.

    A model that the company trained or published itself is left alone, also with `force`, unless `names` asks for it.

    :param names: catalog names, folders or hub ids; None means the encoders and the generator of the settings. The one
        function that may download: a hub id that is not in its cache.
    :param force: export again what is published and sound.
    :param progress: told of every model and of all.
    :raises ParityFailed: if an export differs from its source; what was published before stays in force.
    :raises Unavailable: if the hub does not answer.
    :raises ArtifactDamaged: if a model of the company's own is damaged; it is not replaced.
    """
    store = ArtifactStore(settings.models_folder)
    store.root.mkdir(parents=True, exist_ok=True)
    with Lock(store.root / ".prepare.lock", keep=True):  # a second run waits, then finds everything done
        for killed in store.root.glob(f"{_WORK}*"):
            shutil.rmtree(killed, ignore_errors=True)
        done: list[Artifact] = []
        jobs = [_job(settings, name) for name in names or _named(settings)]
        if names is None:
            jobs = [_without_own(job, store, done) for job in jobs]
        for i, job in enumerate(jobs):
            progress("models", i, len(jobs))
            origin = {**job.origin(), "stamp": job.source.stamp(), "digest": ""}
            if not job.targets:
                continue
            found = [] if force else _published(store, job, origin)
            done += found or _export(store, job, origin, settings.home / "cache", progress)
        progress("models", len(jobs), len(jobs))
    return done


def _without_own(job: _Job, store: ArtifactStore, own: list[Artifact]) -> _Job:
    """The job without the names under which the company published its own models; those are added to `own`."""
    found = [artifact for name in job.targets if (artifact := own_model(store, name, _shipped)) is not None]
    own += found
    left = {artifact.name for artifact in found}
    return replace(job, targets={name: precision for name, precision in job.targets.items() if name not in left})


def _shipped(source: Mapping[str, Any]) -> bool:
    """Whether an artifact was made here: only preparation notes the exporter's version."""
    return "exporter" in source


def _named(settings: CoreSettings) -> list[str]:
    names = [settings.encoder, settings.multilingual_encoder]
    local = Path(settings.generator).expanduser().is_dir()  # served as it is
    if not settings.generator_url and settings.generator != "none" and not local:
        names.append(settings.generator)
    return list(dict.fromkeys(names))


def _job(settings: CoreSettings, name: str) -> _Job:
    source = find(name, allow_hub=True)
    architecture = source.architecture or _architecture(source.folder)
    if architecture == "decoder":
        precision = decoder_precision(settings.precision, settings.provider)
        return _Job(source, architecture, {source.name: precision}, "cpu" if settings.provider == "cpu" else "cuda")
    wanted = dict.fromkeys(("fp32", "int8", resolve_precision(settings.precision, settings.provider)))
    return _Job(source, architecture, {f"{source.name}-{precision}": precision for precision in wanted})


def _architecture(folder: Path) -> Architecture:
    """Whether a folder holds an encoder or a decoder."""
    if any(folder.glob("*.gguf")):
        return "decoder"
    try:
        classes = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or [""]
    except (OSError, ValueError):
        classes = [""]  # the exporter says what is missing
    return "decoder" if str(classes[0]).endswith(("CausalLM", "LMHeadModel")) else "transformer"


def _published(store: ArtifactStore, job: _Job, origin: dict[str, Any]) -> list[Artifact]:
    """The sound current artifacts of a job, if all are there and from the same source; else none."""
    found = []
    for name, precision in job.targets.items():
        try:
            artifact = store.resolve(name)
        except (ModelNotPrepared, ArtifactDamaged):
            return []
        made = artifact.manifest.source
        if made.get("stamp") != origin["stamp"]:  # moved or touched: only the content can tell
            origin["digest"] = origin["digest"] or job.source.digest()
            if made.get("digest") != origin["digest"]:
                return []
        if made.get("precision") != precision or any(made.get(key) != value for key, value in job.origin().items()):
            return []
        found.append(artifact)
    return found


def _export(store: ArtifactStore, job: _Job, origin: dict[str, Any], cache: Path, progress: Report) -> list[Artifact]:
    stage = f"export {job.source.name}"
    progress(stage, 0, len(job.targets))
    origin["digest"] = job.source.digest()  # also refuses a damaged wheel before anything is made of it
    published = []
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=store.root) as work:
        folders = {precision: Path(work) / precision for precision in job.targets.values()}
        reports = _run(job, folders, cache)
        for name, precision in job.targets.items():
            report = reports[precision]
            text = card.render(job.source, name, precision, report)
            (folders[precision] / card.FILE_NAME).write_text(text, encoding="utf-8")

            def build(target: Path, made: Path = folders[precision], proof: Any = report) -> Mapping[str, Any]:
                for file in sorted(made.iterdir()):
                    shutil.move(file, target / file.name)
                return {"parity": proof}

            kind = "generator" if job.architecture == "decoder" else "encoder"
            published.append(store.publish(name, build, kind=kind, source={**origin, "precision": precision}))
            store.prune(name, keep=2)
            progress(stage, len(published), len(job.targets))
    return published


def _run(job: _Job, folders: Mapping[str, Path], cache: Path) -> dict[str, dict[str, Any]]:
    """Run the exporter of the job's architecture; the parity report by precision."""
    source = job.source
    if job.architecture == "decoder":
        return _decoder(job, folders, cache)
    if job.architecture == "use":
        from core.export.use import export_use

        reports = export_use(source.folder, folders, name=source.name, languages=source.languages)
    else:
        from core.export.encoder import export_encoder

        reports = export_encoder(source.folder, folders, name=source.name, languages=source.languages)
    return {precision: report.to_dict() for precision, report in reports.items()}


def _decoder(job: _Job, folders: Mapping[str, Path], cache: Path) -> dict[str, dict[str, Any]]:
    from core.export.decoder import DecoderPrecision, DecoderProvider, check_parity, decoder_parity, export_decoder
    from core.export.decoder import hf_folder as converted

    reports = {}
    for precision, folder in folders.items():
        weights = converted(job.source.folder, cache)
        export_decoder(
            weights,
            folder,
            precision=cast("DecoderPrecision", precision),
            provider=cast("DecoderProvider", job.provider),
            name=job.source.name,
            languages=job.source.languages,
            cache=cache,
        )
        report = decoder_parity(weights, folder, PROMPTS)
        check_parity(report)
        reports[precision] = report
    return reports
