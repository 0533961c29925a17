"""How far a long work is: a bar with rate and time to go for people, a line now and then for a log.

A work reports with a plain call, `progress(stage, done, total)`, and needs to know nothing of this file; `quiet` is the
report that nobody reads. Drawing starts after two seconds, so that a short work stays silent.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text


class Report(Protocol):
    """What a long work calls."""

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """`done` of `total` (none: unknown) units of `stage`; may be called from any thread, as often as it likes."""
        ...


def quiet(stage: str, done: int, total: int | None, /) -> None:
    """A report that nobody reads."""


def pace(rate: float) -> str:
    """Units a second, or seconds a unit where they are slow: `48.2/s`, `35 s each`.

    :param rate: units a second, above 0.
    """
    return f"{rate:,.1f}/s" if rate >= 0.5 else f"{1 / rate:,.0f} s each"


class Rate(TextColumn):
    """How fast a stage is."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: object) -> Text:
        """As in `48.2/s`; nothing before the first unit is done."""
        finished: float = getattr(task, "completed", 0.0)
        spent: float = getattr(task, "elapsed", None) or 0.0
        return Text(pace(finished / spent) if finished and spent > 0 else "")


class Bar:
    """A `Report` to be used in a `with`: draws on stderr, one bar a stage."""

    def __init__(self, *, after: float = 2.0, every: float = 10.0, console: Console | None = None) -> None:
        """Draw nothing in the first `after` seconds; into a file write a line every `every` seconds."""
        self.console = console or Console(file=sys.stderr, highlight=False)
        self.after, self.every = after, every
        self.started = self.written = time.monotonic()
        self.stages: dict[str, TaskID] = {}
        self.bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(compact=True),
            console=self.console,
        )

    def __enter__(self) -> Bar:
        self.started = self.written = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bars.live.is_started:
            self.bars.stop()

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Take note; draw if it is time."""
        if stage not in self.stages:
            self.stages[stage] = self.bars.add_task(stage, total=total)
        self.bars.update(self.stages[stage], completed=done, total=total)
        now = time.monotonic()
        if self.console.is_terminal:
            if now - self.started >= self.after:
                self.bars.start()
        elif now - self.written >= self.every:
            self.written = now
            self.console.print(Text(self.line(stage)))

    def line(self, stage: str) -> str:
        """One stage as a line for a log: `passages: 320 of 698, 41.3/s, about 9 s to go`."""
        task = self.bars.tasks[self.stages[stage]]
        spent = task.elapsed or 0.0
        rate = task.completed / spent if spent > 0 else 0.0
        text = f"  {stage}: {task.completed:.0f}" + (f" of {task.total:.0f}" if task.total else "")
        if rate:
            text += f", {pace(rate)}"
        if rate and task.total and task.completed < task.total:
            text += f", about {(task.total - task.completed) / rate:.0f} s to go"
        return text
