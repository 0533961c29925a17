"""What is missing or wrong on this machine, and how to mend it.

Looks and never changes: no table is made, no model prepared, no server asked. Each check stands alone, so that one
that fails says so and the others still answer.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from core.console import size
from core.errors import ModelNotPrepared, SuiteError
from core.settings import CoreSettings, Settings, describe

State = Literal["ok", "note", "warning", "broken"]

SHOWN = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-genai-cuda", "onnxruntime-genai", "faiss-cpu", "torch")
"""Packages whose versions are worth a line; of the two onnxruntimes a machine has one."""
DISK_BROKEN, DISK_LOW = 300 * 10**6, 2 * 10**9
"""Bytes free: below the first the database may fail, below the second an export may."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    fix: str = ""
    """What to do, where something is to be done."""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def examine(apps: Sequence[str], settings: CoreSettings, known: Iterable[type[Settings]]) -> list[Check]:
    """Look at everything.

    :param apps: the apps whose tables are looked at, as folders under `apps`.
    :param known: the settings classes of the suite and the apps; a variable that none of them has is a slip.
    """
    looks: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("python", python),
        ("packages", packages),
        ("settings", lambda: names(list(known))),
        ("threads", lambda: threads(settings)),
        ("provider", lambda: provider(settings)),
        ("telemetry", telemetry),
        ("home", lambda: home(settings)),
        ("models", lambda: models(settings)),
        ("database", lambda: database(settings, apps)),
    ]
    found: list[Check] = []
    for name, look in looks:
        try:
            found.extend(look())
        except SuiteError as error:
            found.append(Check(name, "broken", str(error)))
        except Exception as error:
            found.append(Check(name, "broken", f"the check itself failed: {type(error).__name__}: {error}"))
    return found


def python() -> Iterator[Check]:
    """The interpreter and the machine."""
    version = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    fix = "" if fits else "Install Python 3.11, 3.12 or 3.13 and run `make run` again."
    yield Check("python", "ok" if fits else "broken", detail, fix)


def packages() -> Iterator[Check]:
    """Versions against what this release asks for."""
    from packaging.requirements import Requirement

    wrong = []
    for line in importlib.metadata.requires("triptych") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        have = version_of(wanted.name)
        if have is None:
            wrong.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(have, prereleases=True):
            wrong.append(f"{wanted.name} is {have}, wanted {wanted.specifier}")
    shown = ", ".join(f"{name} {version}" for name in SHOWN if (version := version_of(name)))
    detail = f"triptych {importlib.metadata.version('triptych')}; {shown}"
    if wrong:
        yield Check(
            "packages", "broken", "; ".join(wrong), "Run `make install`, or reinstall from deploy/requirements."
        )
    else:
        yield Check("packages", "ok", detail)
    if version_of("onnxruntime") and version_of("onnxruntime-gpu"):
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu, then `make install`."
        yield Check("packages", "broken", "onnxruntime stands beside onnxruntime-gpu: each overwrites the other", fix)


def version_of(package: str) -> str | None:
    """The installed version; None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def names(known: Sequence[type[Settings]]) -> Iterator[Check]:
    """Variables and TOML keys that no setting has: a slip of the pen is otherwise silent."""
    import tomllib

    fields = {str(row["name"]) for cls in known for row in describe(cls)}
    variables = {f"TRIPTYCH_{field}".upper() for field in fields} | {"TRIPTYCH_CONFIG"}
    given = os.environ.get("TRIPTYCH_CONFIG")
    toml = Path(given or "triptych.toml")
    slips = []
    for name in sorted(os.environ):
        if name.startswith("TRIPTYCH_") and name.split("__")[0] not in variables:
            slips.append((name, get_close_matches(name, variables, 1)))
    if toml.exists():
        table = tomllib.loads(toml.read_text(encoding="utf-8"))
        slips.extend((f"{key} in {toml}", get_close_matches(key, fields, 1)) for key in table if key not in fields)
    for name, near in slips:
        fix = f"Did you mean {near[0]}?" if near else "Remove it; README.md lists the settings."
        yield Check("settings", "warning", f"{name} is not a setting; it has no effect", fix)
    if given and not toml.exists():
        yield Check("settings", "broken", f"TRIPTYCH_CONFIG names {given}, which is not there", "Mend the path.")
    elif not slips:
        yield Check("settings", "ok", str(toml) if toml.exists() else "environment and defaults")


def threads(settings: CoreSettings) -> Iterator[Check]:
    """Threads of the models against cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    detail = f"{settings.threads} for the models, {cores} cores to run on"
    if settings.threads > cores:
        yield Check("threads", "warning", detail, f"TRIPTYCH_THREADS={cores}: more threads than cores slow each other.")
    else:
        yield Check("threads", "ok", detail)


def provider(settings: CoreSettings) -> Iterator[Check]:
    """What onnxruntime can run on, and whether it is what was asked for."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    wanted = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt"}[settings.provider] + "ExecutionProvider"
    built = onnxruntime.get_available_providers()
    detail = f"asked for {settings.provider}; onnxruntime was built with {', '.join(built)}"
    if wanted not in built:
        fix = "Use TRIPTYCH_PROVIDER=cpu, or install onnxruntime-gpu on x86-64 Linux or Windows."
        yield Check("provider", "broken", detail, fix)
    elif settings.provider != "cpu" and not nvidia():
        fix = "Install NVIDIA's driver (nvidia-smi must answer), or use TRIPTYCH_PROVIDER=cpu."
        yield Check("provider", "broken", f"{detail}; this machine shows no NVIDIA driver", fix)
    else:
        yield Check("provider", "ok", detail)


def nvidia() -> bool:
    """Whether an NVIDIA driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def telemetry() -> Iterator[Check]:
    """That nothing is sent anywhere."""
    told = {name: os.environ.get(name) for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "DO_NOT_TRACK")}
    if told["ORT_DISABLE_TELEMETRY"] not in {None, "1"}:
        value = told["ORT_DISABLE_TELEMETRY"]
        yield Check("telemetry", "warning", f"ORT_DISABLE_TELEMETRY={value}", "Unset it: Triptych sets it to 1.")
    else:
        yield Check("telemetry", "ok", "onnxruntime's is switched off before it is loaded; Triptych has none")


def home(settings: CoreSettings) -> Iterator[Check]:
    """Where models and data lie: may it be written, is there room."""
    place = next(folder for folder in (settings.home, *settings.home.absolute().parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield Check("home", "broken", f"{settings.home} cannot be written", "Set TRIPTYCH_HOME to a folder of yours.")
        return
    free = shutil.disk_usage(place).free
    used = (
        sum(file.stat().st_size for file in settings.home.rglob("*") if file.is_file()) if place == settings.home else 0
    )
    detail = f"{settings.home}: {size(used)} used, {size(free)} free on its disk"
    state: State = "broken" if free < DISK_BROKEN else "warning" if free < DISK_LOW else "ok"
    yield Check("home", state, detail, "" if state == "ok" else "Make room, or set TRIPTYCH_HOME to another disk.")


def models(settings: CoreSettings) -> Iterator[Check]:
    """That every model the settings ask for is published and whole."""
    from core.backends import artifact_name
    from core.backends.generators import artifact_name as generator_artifact
    from core.models.artifacts import ArtifactStore

    store = ArtifactStore(settings.models_folder)
    wanted = [artifact_name(settings, name) for name in (settings.encoder, settings.multilingual_encoder)]
    if settings.generator_url:
        yield Check("models", "note", f"generator: {settings.generator} at {settings.generator_url}, not asked here")
    elif Path(settings.generator).expanduser().is_dir():
        yield Check("models", "note", f"generator: the folder {settings.generator}, not opened here")
    elif settings.generator != "none":
        wanted.append(generator_artifact(settings))
    for name in dict.fromkeys(wanted):
        try:
            artifact = store.resolve(name)
        except ModelNotPrepared:
            yield Check("models", "broken", f"{name} is not published", "Run `triptych models prepare`.")
        except SuiteError as error:
            yield Check("models", "broken", str(error), "Run `triptych models prepare`.")
        else:
            proof = "" if artifact.manifest.parity is None else ", compared with torch"
            detail = f"{artifact.name} {artifact.version}, {size(artifact.manifest.bytes)}, files whole{proof}"
            yield Check("models", "ok", detail)


def database(settings: CoreSettings, apps: Sequence[str]) -> Iterator[Check]:
    """That the database answers and the tables are of this version."""
    from sqlalchemy.engine import make_url

    from core.store import current, open_engine

    url = make_url(settings.url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        yield Check(
            "database", "note", f"{shown} is not there yet", "The first ingest or `triptych db upgrade` makes it."
        )
        return
    engine = open_engine(settings.url)
    try:
        for app in apps:
            have, want = current(engine, app), newest(app)
            if have == want:
                yield Check("database", "ok", f"{shown}: {app} at revision {have}")
            else:
                detail = f"{shown}: {app} at revision {have or 'none'}, this version needs {want}"
                yield Check("database", "broken", detail, "Run `triptych db upgrade`.")
    finally:
        engine.dispose()


def newest(app: str) -> str | None:
    """The last migration that this version brings for an app."""
    from alembic.script import ScriptDirectory

    spec = importlib.util.find_spec(f"apps.{app}")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "") / "migrations"
    return ScriptDirectory(str(folder)).get_current_head()
