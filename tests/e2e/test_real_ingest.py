"""A real ingest, killed in the middle."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.real_server import COMMAND, command, environment

pytestmark = pytest.mark.models


def test_an_ingest_that_is_killed_loses_nothing_acknowledged(tmp_path: Path, models_home: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(models_home / "models")
    lines = [
        json.dumps({"id": f"d{i}", "title": f"Thing {i}", "text": f"Thing {i} costs {i} euros. " + "It is blue. " * 40})
        for i in range(1200)
    ]
    (tmp_path / "kb.jsonl").write_text("\n".join(lines))
    ingest = [*COMMAND, "customer-service", "ingest", str(tmp_path / "kb.jsonl")]
    process = subprocess.Popen(ingest, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    from apps.customer_service.store import Store

    deadline = time.monotonic() + 120
    while True:
        if (home / "triptych.db").exists():
            with Store.open(f"sqlite:///{home / 'triptych.db'}") as store:
                if len(store.hashes()):
                    break
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    with Store.open(f"sqlite:///{home / 'triptych.db'}") as store:
        kept = store.hashes()
        assert 0 < len(kept) < 1200
        for id_ in list(kept)[:5] + list(kept)[-5:]:
            text, chunks = store.get_document(id_).text, store.document_chunks(id_)
            assert chunks[-1].chunk.end == len(text.rstrip())
    done = command(home, "customer-service", "ingest", "--json", str(tmp_path / "kb.jsonl"))
    assert done.returncode == 0, done.stderr
    states = [file["status"] for file in json.loads(done.stdout)["files"]]
    assert states.count("unchanged") == len(kept)
    assert states.count("added") == 1200 - len(kept)
    with Store.open(f"sqlite:///{home / 'triptych.db'}") as store:
        for encoder in ("minilm-int8", "use-m3-int8"):
            assert not list(store.iter_without_vectors(encoder))
