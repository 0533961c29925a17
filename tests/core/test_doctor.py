from __future__ import annotations

from pathlib import Path

import pytest

from core.doctor import Check, database, examine, home, models, names, nvidia, packages, provider, python, threads
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from core.store import open_engine, upgrade
from core.web.settings import WebSettings


def settings(tmp_path: Path, **values: object) -> CoreSettings:
    return CoreSettings.model_validate({"home": tmp_path / "home", **values})


def states(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


def test_a_fresh_machine_lacks_its_models_and_is_told_the_command(tmp_path: Path) -> None:
    checks = examine(["customer_service"], settings(tmp_path), [CoreSettings])
    assert states(checks)["models"] == "broken" and states(checks)["database"] == "note"
    assert any("triptych models prepare" in check.fix for check in checks)
    assert not (tmp_path / "home").exists(), "the doctor looks and never changes"


def test_this_machine_has_what_the_release_asks_for() -> None:
    assert [check.state for check in [*python(), *packages()]] == ["ok", "ok"]


def test_a_slip_in_a_variable_is_found_and_the_near_name_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_THREDS", "4")
    (check,) = names([CoreSettings, WebSettings])
    assert check.state == "warning" and check.fix == "Did you mean TRIPTYCH_THREADS?"


def test_an_unknown_key_of_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.toml").write_text('encodr = "minilm"\nport = 9\n', encoding="utf-8")
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "t.toml"))
    (check,) = names([CoreSettings, WebSettings])
    assert "encodr in" in check.detail and check.fix == "Did you mean encoder?"


def test_a_configuration_file_that_is_not_there_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_CONFIG", "/nowhere/t.toml")
    (check,) = names([CoreSettings, WebSettings])
    assert check.state == "broken" and "/nowhere/t.toml" in check.detail


def test_more_threads_than_cores_are_warned_of(tmp_path: Path) -> None:
    (check,) = threads(settings(tmp_path, threads=256))
    assert check.state == "warning"


def test_cuda_without_a_driver_is_broken(tmp_path: Path) -> None:
    (check,) = provider(settings(tmp_path, provider="cuda"))
    assert check.state == ("ok" if nvidia() else "broken")


def test_a_home_that_is_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x", encoding="utf-8")
    (check,) = home(settings(tmp_path))
    assert check.state == "broken" and "TRIPTYCH_HOME" in check.fix


def test_a_damaged_model_is_broken(tmp_path: Path) -> None:
    kept = settings(tmp_path, multilingual_encoder="minilm", generator="none")

    def build(folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"weights")

    published = ArtifactStore(kept.models_folder).publish("minilm-int8", build)
    assert {check.state for check in models(kept)} == {"ok"}
    (published.folder / "model.onnx").write_bytes(b"WEIGHTS")
    assert {check.state for check in models(kept)} == {"broken"}


def test_tables_of_this_version_are_sound(tmp_path: Path) -> None:
    kept = settings(tmp_path)
    engine = open_engine(kept.url)
    try:
        (before,) = database(kept, ["customer_service"])
        upgrade(engine, "customer_service")
    finally:
        engine.dispose()
    (after,) = database(kept, ["customer_service"])
    assert before.state == "broken" and "triptych db upgrade" in before.fix
    assert after.state == "ok"


def test_a_check_that_fails_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    checks = examine(["no_such_app"], settings(tmp_path, database_url=f"sqlite:///{__file__}"), [CoreSettings])
    assert states(checks)["database"] == "broken" and states(checks)["python"] == "ok"
