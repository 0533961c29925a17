"""The model card of an export: what it is, whose, under which licence, and how far it is from its source.

Knows words only; written beside the weights as `MODEL_CARD.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models.catalog import EMBEDDED, Source

FILE_NAME = "MODEL_CARD.md"

_LIMITS = {
    "minilm": "English only. Texts are cut to 256 word pieces.",
    "use-m3": "Weaker than an English encoder on long English passages; strong across languages and on short texts.",
    "smollm2": "135 million weights: copies well, invents when unsure. Use it under grounding only. English only.",
}


def render(source: Source, title: str, precision: str, parity: Mapping[str, Any] | None) -> str:
    """Markdown for one exported model.

    :param title: the published name, as in "minilm-int8".
    :param parity: the report as it stands in the manifest; None where none was made.
    """
    entry = EMBEDDED.get(source.name)
    lines = [
        f"# {title}",
        "",
        f"- Model: {entry.origin if entry else source.described}",
        f"- From: {source.described}",
        f"- Licence: {source.licence}",
        f"- Languages: {', '.join(source.languages)}",
        f"- Precision: {precision}",
    ]
    if entry:
        lines += [f"- Pooling: {entry.pooling}", f"- Limits: {_LIMITS[entry.name]}"]
    lines += ["", "## Compared with its source", ""]
    if parity is None:
        lines.append("Not compared.")
    elif "cases" in parity:
        lines += ["| batch | rows | tokens | mean cosine | lowest cosine |", "|---|---|---|---|---|"]
        for case in parity["cases"]:
            values = (case["case"], case["rows"], case["tokens"], case["mean_cosine"], case["min_cosine"])
            lines.append("| " + " | ".join(str(value) for value in values) + " |")
    else:
        lines += ["| figure | value |", "|---|---|"]
        lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in parity.items()]
    return "\n".join(lines) + "\n"
