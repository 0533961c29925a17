"""What `triptych finetune` says: the data, the figures, where the model is, what to do next.

Knows results and how to print them; nothing of how they came about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.console import hint, put_json, put_table, say, size

if TYPE_CHECKING:
    from core.finetune.flow.learn import Learned
    from core.finetune.flow.publish import Published
    from core.finetune.flow.rows import Data


def say_data(data: Data, *, quietly: bool) -> None:
    """Wrong rows on stderr; the data report on stdout.

    :param quietly: wrong rows only.
    """
    for file, problem in data.problems[:10]:
        hint(f"{file}, line {problem.line}: {problem.reason}; left out.", "yellow")
    if len(data.problems) > 10:
        hint(f"... and {len(data.problems) - 10} more wrong rows.", "yellow")
    if quietly:
        return
    rows = [*data.report.table(), ("used", f"{len(data.rows):,} to train, {len(data.held):,} held out")]
    rows += [("left out", f"{count:,}: {reason}") for reason, count in data.dropped.items()]
    put_table(("data", ""), rows)
    for warning in (*data.report.warnings, *data.notes):
        hint(f"Note: {warning}.", "yellow")


def say_result(learned: Learned, published: Published | None, search: dict[str, Any], *, as_json: bool) -> None:
    """Tables, where the model is, the next command; then one line of JSON.

    :param search: `Found.as_dict`, empty without a search.
    :param as_json: the line of JSON alone.
    """
    from core.evaluate.report import plain

    record, measured = learned.record, learned.measured
    figures = dict(measured.figures) if measured else {}
    result: dict[str, Any] = {
        "task": learned.task,
        "run": learned.run.folder.name,
        "model": str(learned.model),
        "trained": learned.trained,
        "steps": record["steps"],
        "seconds": record["seconds"],
        "rows": {"train": record["rows"], "held": len(learned.data.held), "test": len(learned.data.test)},
        "data": learned.data.report.fingerprint,
        "test_file": learned.data.own_test,
        "figures": figures,
        "reports": {name: report.as_dict() for name, report in measured.reports.items()} if measured else {},
        "notes": [*learned.data.notes, *record["notes"]],
    }
    if search:
        result["search"] = search
    if published:
        artifact = published.artifact
        result["published"] = {
            "name": artifact.name,
            "version": artifact.version,
            "folder": str(artifact.folder),
            "kind": artifact.manifest.kind,
            "bytes": artifact.manifest.bytes,
            "parity": dict(published.parity),
            "figures": dict(published.exported.figures) if published.exported else {},
        }
    if not as_json:
        _tables(learned, published)
    put_json(plain(result))  # type: ignore[arg-type]


def _tables(learned: Learned, published: Published | None) -> None:
    for name, report in (learned.measured.tables() if learned.measured else {}).items():
        report.put(name)
    if learned.measured:
        own = "the test file" if learned.data.own_test else "held-out rows, which chose the weights"
        served = published.exported.figures if published and published.exported else {}
        rows = [(name, value, served.get(name, "")) for name, value in learned.measured.figures.items()]
        put_table((f"on {own}", "torch", "as served"), [row for row in rows if isinstance(row[1], int | float)])
    for note in learned.record["notes"]:
        hint(f"Note: {note}.", "yellow")
    say(f"{'Trained' if learned.trained else 'Was trained already'}: {learned.model}", "green")
    if published:
        artifact = published.artifact
        say(f"{artifact.name} {artifact.version} is in force ({size(artifact.manifest.bytes)}).", "green")
        hint(
            f"Its card: `triptych models show {artifact.name}`; back again: `triptych models rollback {artifact.name}`."
        )
    else:
        hint("Next: the same command with --publish NAME exports it, proves it and puts it in force.")
