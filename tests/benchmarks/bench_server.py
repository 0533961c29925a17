"""How long a server takes to be ready, and what it holds in memory with all models in use.

    python -m tests.benchmarks.bench_server [--rounds 3] [--write]

Starts `triptych serve` on a home with the prepared models and the sample documents, asks until every model has worked,
and reads the process's memory. Prints one JSON object; `--write` keeps it as `results/server.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from core.settings import CoreSettings
from tests.benchmarks._results import write

SAMPLES = Path(__file__).parents[2] / "apps/customer_service/samples/documents"
QUESTIONS = ("How long is the warranty on an Ember 3?", "账户密码忘了怎么办？", "What is the weather on Mars?")


def triptych(*words: str) -> list[str]:
    """The command line of a verb."""
    return [str(Path(sys.executable).with_name("triptych")), *words]


def measure(home: Path, port: int) -> dict[str, float | bool]:
    """One start: seconds to ready, memory at ready and after use."""
    environment = {**os.environ, "TRIPTYCH_HOME": str(home)}
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    server = subprocess.Popen(
        triptych("serve", "--port", str(port)), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        ready = wait(url, started)
        before = resident(server.pid)
        for text in QUESTIONS:
            for compose in (False, True):
                body = {
                    "model": "customer-service",
                    "messages": [{"role": "user", "content": text}],
                    "compose": compose,
                }
                httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=120).raise_for_status()
        maps = Path(f"/proc/{server.pid}/maps").read_text()
        return {
            "ready_seconds": ready,
            "resident_mb_ready": before,
            "resident_mb_used": resident(server.pid),
            "torch_loaded": "libtorch" in maps,
        }
    finally:
        server.terminate()
        server.wait(20)


def wait(url: str, started: float) -> float:
    """Seconds until /readyz says yes."""
    while time.perf_counter() - started < 60:
        try:
            if httpx2.get(f"{url}/readyz", timeout=2).status_code == 200:
                return time.perf_counter() - started
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    raise TimeoutError(url)


def resident(pid: int) -> float:
    """Resident memory of a process, in MB (2**20 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").symlink_to(CoreSettings().models_folder)
        environment = {**os.environ, "TRIPTYCH_HOME": folder}
        subprocess.run(triptych("customer-service", "ingest", str(SAMPLES)), env=environment, check=True)
        rounds = [measure(home, arguments.port + i) for i in range(arguments.rounds)]
    result = {key: statistics.median(float(r[key]) for r in rounds) for key in rounds[0]} | {
        "torch_loaded": any(r["torch_loaded"] for r in rounds)
    }
    if arguments.write:
        write("server", result, data="the sample documents")
    else:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
