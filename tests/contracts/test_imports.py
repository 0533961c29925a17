"""Who may import whom, and what may not be imported at all."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.contracts.house import APPS, ROOT, calls_at_import, imports, sources

HEAVY = ("torch", "transformers", "sentence_transformers", "peft", "optuna", "ray", "wandb", "mlflow")
TRAINING_ROOMS = (
    "core/finetune",
    "core/export",
    "core/scale",
    "core/backends/torch.py",
    "core/backends/headed.py",
    "core/backends/windowed.py",
)
FORBIDDEN = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "unittest.mock", "mock", "jieba", "httpx", "shelve")
FORBIDDEN_WORDS = re.compile(
    r"torch\.load\(|trust_remote_code\s*=\s*True|pickle\.loads?\(|\bnp\.load\(.*allow_pickle=True"
)

READS = ("open", "read_text", "read_bytes", "getenv", "environ.get", "environ.setdefault", "environ")
STARTS = (
    "write_text",
    "mkdir",
    "Thread",
    "ThreadPoolExecutor",
    "Popen",
    "create_engine",
    "InferenceSession",
    "basicConfig",
)


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("app", APPS)
def test_serving_loads_neither_torch_nor_transformers(app: str) -> None:
    code = (
        "import sys\n"
        "from apps.__main__ import APPS\n"
        f"app = next(app for app in APPS if app.package == {app!r})\n"
        "app.part('api').create_app(app.settings_class()())\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    early = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("core", "apps")
        if not str(path.relative_to(ROOT)).startswith(TRAINING_ROOMS)
        for name, at_import in imports(path)
        if at_import and name.split(".")[0] in HEAVY
    ]
    assert not early


def test_only_core_scale_knows_ray() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources("core", "apps")
        if not str(path.relative_to(ROOT)).startswith("core/scale")
        and any(name.split(".")[0] == "ray" for name, _ in imports(path))
    ]
    assert not wrong


def test_nothing_unsafe_or_faked_is_imported() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("core", "apps", "tests", "deploy")
        for name, _ in imports(path)
        if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN)
    ]
    assert not wrong


def test_no_code_from_models_is_ever_run() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in sources("core", "apps", "deploy")
        for found in FORBIDDEN_WORDS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_nothing_reads_the_environment_opens_a_file_or_starts_a_thread_at_import() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {call}"
        for path in sources("core", "apps")
        for call in calls_at_import(path)
        if call.endswith(READS + STARTS)
    ]
    assert not wrong
