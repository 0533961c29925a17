from __future__ import annotations

import io
import time

from rich.console import Console

from core.progress import Bar, Report, pace, quiet


def file_console() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=False, width=200), stream


def work(report: Report, total: int | None = 10) -> None:
    for done in range(1, 11):
        report("passages", done, total)


def test_a_short_work_stays_silent() -> None:
    console, stream = file_console()
    with Bar(console=console) as bar:
        work(bar)
    work(quiet)
    assert stream.getvalue() == ""


def test_a_log_gets_a_line_with_rate_and_time_to_go() -> None:
    console, stream = file_console()
    with Bar(console=console, every=0.0) as bar:
        bar("passages", 0, 10)
        time.sleep(0.05)
        bar("passages", 5, 10)
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("  passages: 5 of 10, ") and ", about" in last and last.endswith("s to go")


def test_people_get_a_bar_after_a_while() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with Bar(console=console, after=0.0) as bar:
        work(bar)
    assert "passages" in stream.getvalue() and "10/10" in stream.getvalue()


def test_a_work_of_unknown_length_counts() -> None:
    console, stream = file_console()
    with Bar(console=console, every=0.0) as bar:
        work(bar, total=None)
    assert "passages: 10" in stream.getvalue() and "to go" not in stream.getvalue()


def test_two_stages_are_counted_apart() -> None:
    console, _ = file_console()
    with Bar(console=console) as bar:
        bar("reading", 3, 3)
        bar("encoding", 1, 9)
        assert bar.line("reading").startswith("  reading: 3 of 3")
        assert bar.line("encoding").startswith("  encoding: 1 of 9")


def test_a_slow_work_is_told_in_seconds_a_unit() -> None:
    assert pace(48.24) == "48.2/s" and pace(0.025) == "40 s each"
