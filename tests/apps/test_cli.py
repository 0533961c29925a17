from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.__main__ import explain, main
from core.errors import NotFound


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def model(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in ("customer-service", "serve", "models", "db", "doctor"))


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom apps.__main__ import main\nmain(['--help'])\n"
        "heavy = {'numpy', 'onnxruntime', 'fastapi', 'sqlalchemy', 'torch', 'pandas', 'faiss'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("triptych 0.")


@pytest.mark.parametrize("words", [["nothing"], ["models", "nothing"], ["models", "show"], ["serve", "--port", "x"]])
def test_a_wrong_call_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "Error" in capsys.readouterr().err


def test_an_error_of_the_suite_is_a_message_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "nope"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and "Traceback" not in captured.err


def test_a_bug_keeps_its_traceback() -> None:
    assert explain(NotFound("no such thing")) == "no such thing"
    assert explain(KeyError("bug")) is None


def test_a_wrong_setting_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPTYCH_THREADS", "0")
    assert main(["models", "list"]) == 1
    assert "TRIPTYCH_THREADS = '0'" in capsys.readouterr().err


def test_a_broken_file_of_settings_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("triptych.toml").write_text("threads = = 2", encoding="utf-8")
    assert main(["models", "list"]) == 1
    assert "triptych.toml is not valid TOML" in capsys.readouterr().err


def test_models_are_published_shown_rolled_back_and_pruned(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model(home.parent / "m", "one")
    assert main(["models", "publish", "mine", str(folder), "--kind", "classifier"]) == 0
    model(folder, "two")
    assert main(["models", "publish", "mine", str(folder)]) == 0
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["version"], row["current"]) for row in rows] == [("0001", False), ("0002", True)]
    assert main(["models", "rollback", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "0001"
    assert main(["models", "show", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "classifier"
    assert main(["models", "show", "mine"]) == 0
    assert main(["models", "list"]) == 0
    assert main(["models", "verify"]) == 0
    assert "sound" in capsys.readouterr().out
    assert main(["models", "prune", "--keep", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"mine": []}


def test_a_changed_file_fails_verification(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "publish", "mine", str(model(home.parent / "m", "one"))])
    (file,) = home.glob("models/mine/versions/0001/model.json")
    file.write_text('"two"', encoding="utf-8")
    capsys.readouterr()
    assert main(["models", "verify", "--json"]) == 1
    assert "differs" in json.loads(capsys.readouterr().out)[0]["error"]


def test_no_model_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "triptych models prepare" in capsys.readouterr().out


def test_the_tables_are_brought_up_and_again_without_harm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["customer-service"]
    assert main(["db", "upgrade"]) == 0
    assert first["customer-service"] in capsys.readouterr().out


def test_the_doctor_finds_what_is_broken_and_says_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False and any(check["fix"] for check in told["checks"])
    assert main(["doctor"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_taken_port_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from core.web.run import listen

    with listen("127.0.0.1", 0) as listening:
        assert main(["serve", "--port", str(listening.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


def wait_until_idle(pid: int, seconds: float = 60.0) -> None:
    """Until a process has used no processor time for a second: it has started and waits for its input."""
    deadline, used, since = time.monotonic() + seconds, -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 1.0:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        now = int(fields[11]) + int(fields[12])
        if now != used or fields[0] in "RD" or now == 0:
            used, since = now, time.monotonic()
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_ctrl_c_is_130_and_says_how_to_go_on() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "apps", "customer-service", "ask", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    wait_until_idle(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert out == "" and "run the same command again" in err


def test_prepare_leaves_models_of_your_own_alone_and_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.models.artifacts import ArtifactStore
    from tests.core.backends import tiny_encoder

    folder = str(tiny_encoder.source())
    for name, value in (("ENCODER", folder), ("MULTILINGUAL_ENCODER", folder), ("GENERATOR", "none")):
        monkeypatch.setenv(f"TRIPTYCH_{name}", value)
    store = ArtifactStore(home / "models")
    source = {"samples": "others", "questions": "a hash"}
    store.publish("answerability", lambda target: model(target, "own") and None, kind="check", source=source)
    for name in ("finance-sentiment", "finance-topics"):
        store.publish(name, lambda target: model(target, "own") and None, kind="finance", source={"file": "own.csv"})
    for force in ([], ["--force"]):
        assert main(["models", "prepare", *force, "--json"]) == 0
        versions = {row["name"]: row["version"] for row in json.loads(capsys.readouterr().out)}
        assert {versions[name] for name in ("answerability", "finance-sentiment", "finance-topics")} == {"0001"}
    assert main(["models", "prepare", "--force"]) == 0
    assert "answerability 0001 is your own and stays" in " ".join(capsys.readouterr().err.split())
    with monkeypatch.context() as without:
        without.setenv("TRIPTYCH_ENCODER", "minilm")
        assert main(["models", "prepare", "answerability"]) == 1, "by its name it is made again: of these encoders"
    assert "minilm" in capsys.readouterr().err and store.current("answerability") == "0001"
