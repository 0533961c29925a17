"""`triptych serve` and other commands as processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.servers import free_port

COMMAND = [sys.executable, "-m", "apps"]


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TRIPTYCH_")}
    return {**kept, "TRIPTYCH_HOME": str(home), "NO_COLOR": "1"}


def command(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=environment(home), capture_output=True, text=True, check=False, timeout=240
    )


class Server:
    """A running `triptych serve`."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.home, self.port = home, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ready_seconds = 0.0

    def start(self) -> None:
        began = time.monotonic()
        self.log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(self.port)], env=environment(self.home), stdout=self.log, stderr=self.log
        )
        while not self.ready():
            assert self.process.poll() is None, (self.home / "server.log").read_text()
            assert time.monotonic() - began < 90, (self.home / "server.log").read_text()
            time.sleep(0.02)
        self.ready_seconds = time.monotonic() - began

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as reply:
            return json.load(reply)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.log.close()
        return code

    @property
    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    @property
    def libraries(self) -> str:
        return Path(f"/proc/{self.process.pid}/maps").read_text()


@contextmanager
def running(home: Path) -> Iterator[Server]:
    server = Server(home)
    server.start()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
