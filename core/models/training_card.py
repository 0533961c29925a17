"""The model card of a fine-tuned model: on what it learned, from what, how, how good it is, how near its export is.

Knows words and numbers only; written beside the weights as `MODEL_CARD.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MOST_CLASSES = 200


def render(title: str, facts: Mapping[str, Any]) -> str:
    """Markdown.

    :param title: the published name.
    :param facts: "task", "precision", "base" (name, licence, languages), "data" (as `data.json`), "options" (those that
        differ from the defaults), "training" (steps, seconds, loss), "figures", "exported" (figures of the export),
        "reports" (tables by head, as `LabelReport.as_dict`), "parity", "hardware", "commit", "pictures" (file by
        caption). What is missing is left out.
    """
    base, data = facts.get("base", {}), facts.get("data", {})
    lines = [f"# {title}", ""]
    lines += _bullets(
        ("Task", facts.get("task")),
        ("Base model", base.get("name")),
        ("Licence of the base model", base.get("licence")),
        ("Languages", ", ".join(base.get("languages", ()))),
        ("Precision", facts.get("precision")),
        ("Hardware it was trained on", facts.get("hardware")),
        ("Commit", facts.get("commit")),
    )
    lines += ["", "## Data", "", *_data(data), "", "## Training", "", *_training(facts)]
    lines += ["", "## How good it is", "", *_quality(facts, own=bool(data.get("test_file")))]
    for head, report in dict(facts.get("reports", {})).items():
        lines += ["", f"### {head}", "", *_report(report)]
    lines += ["", "## Compared with torch", "", *_parity(facts.get("parity"))]
    return "\n".join(lines) + "\n"


def _bullets(*pairs: tuple[str, Any]) -> list[str]:
    return [f"- {name}: {_cell(value)}" for name, value in pairs if value not in (None, "", (), [])]


def _data(data: Mapping[str, Any]) -> list[str]:
    rows, train = data.get("rows", {}), data.get("train", {})
    lines = _bullets(
        ("Fingerprint (SHA-256 of what the training rows say)", f"`{train.get('fingerprint', '')}`"),
        ("Rows trained on", rows.get("train")),
        ("Rows held out to choose the weights and to calibrate", rows.get("held")),
        (
            "Rows measured on",
            f"{rows.get('test', 0)}, {'a file of their own' if data.get('test_file') else 'held out'}",
        ),
        ("Fingerprint of the rows measured on", f"`{data.get('test_fingerprint', '')}`"),
        ("Left out", ", ".join(f"{count} {reason}" for reason, count in data.get("dropped", {}).items())),
        ("Wrong rows, left out", data.get("wrong_rows") or ""),
    )
    lines += [f"- Note: {_cell(text)}" for text in (*data.get("warnings", ()), *data.get("notes", ()))]
    labels = train.get("labels", {})
    if labels:
        shown = ", ".join(f"{_cell(name)} {count}" for name, count in list(labels.items())[:20])
        lines.append(f"- Labels: {len(labels)} ({shown}{', ...' if len(labels) > 20 else ''})")
    return lines


def _training(facts: Mapping[str, Any]) -> list[str]:
    training, options = facts.get("training", {}), facts.get("options", {})
    lines = _bullets(
        ("Updates", training.get("steps")),
        ("Seconds, of the process that ended it", training.get("seconds")),
        ("Mean loss", training.get("loss")),
        ("Kept", f"the weights after update {training['best_step']}" if training.get("best_step") else "the last ones"),
    )
    if options:
        lines += ["", "Options that are not the defaults:", "", *_table(("option", "value"), options.items())]
    pictures = facts.get("pictures", {})
    lines += [line for caption, file in pictures.items() for line in ("", f"![{caption}]({file})")]
    return lines


def _quality(facts: Mapping[str, Any], *, own: bool) -> list[str]:
    figures, exported = facts.get("figures", {}), facts.get("exported", {})
    if not figures and not exported:
        return ["Not measured: no rows were held out."]
    said = (
        "On a test file of its own." if own else "On held-out rows, which also chose the weights: a flattering figure."
    )
    names = list(dict.fromkeys([*figures, *exported]))
    rows = [(name, figures.get(name, ""), exported.get(name, "")) for name in names]
    return [said, "", *_table(("figure", "torch", "this file"), rows)]


def _report(report: Mapping[str, Any]) -> list[str]:
    if "entities" in report:
        return [*_report(report["entities"]), "", "Tokens:", "", *_report(report["tokens"])]
    classes = dict(report.get("classes", {}))
    rows: list[tuple[Any, ...]] = [
        (name, row["precision"], row["recall"], row["f1"], row["support"])
        for name, row in [*list(classes.items())[:_MOST_CLASSES], *((n, report[n]) for n in _AVERAGES if n in report)]
    ]
    lines = _table(("class", "precision", "recall", "F1", "support"), rows)
    if len(classes) > _MOST_CLASSES:
        lines += ["", f"{len(classes) - _MOST_CLASSES} more classes are in the manifest's run folder only."]
    return lines


_AVERAGES = ("micro", "macro", "weighted")


def _parity(parity: Mapping[str, Any] | None) -> list[str]:
    if parity is None:
        return ["Not compared."]
    plain = [(name, value) for name, value in parity.items() if not isinstance(value, Mapping | list)]
    lines = _table(("figure", "value"), [(name.replace("_", " "), value) for name, value in plain])
    cases = [case for case in parity.get("cases", ()) if isinstance(case, Mapping)]
    if cases:
        heads = list(dict.fromkeys(key for case in cases for key in case))
        lines += [
            "",
            *_table([head.replace("_", " ") for head in heads], [[c.get(h, "") for h in heads] for c in cases]),
        ]
    return lines


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(each) for each in value)
    return " ".join(str(value).split()).replace("|", "\\|")
