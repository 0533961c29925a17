"""Write tables into the READMEs, from the settings and the committed results; `--check` only says if they are stale.

A README asks for a table with a pair of comments: `<!-- settings module:Class -->` and `<!-- /settings -->`, or
`<!-- figures -->` (`<!-- figures zh -->`) and `<!-- /figures -->`.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import figures  # beside this script

from core.settings import Settings, describe

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- settings (?P<module>[\w.]+):(?P<name>\w+) -->\n).*?(<!-- /settings -->)", re.DOTALL)


FIGURES = re.compile(r"(<!-- figures(?P<chinese> zh)? -->\n).*?(<!-- /figures -->)", re.DOTALL)


def table(module: str, name: str) -> str:
    """The Markdown table of one settings class; fields of the shared settings are told once, with those."""
    from core.settings import CoreSettings

    cls: type[Settings] = getattr(importlib.import_module(module), name)
    shared = {row["name"] for row in describe(CoreSettings)} if cls is not CoreSettings else set()
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for row in describe(cls):
        if row["name"] not in shared:
            meaning = " ".join(row["description"].split()).replace("|", "\\|")
            lines.append(f"| `{row['variable']}` | {shown(row['default'])} | {meaning} |")
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """A default for a table cell; the home folder by its sign."""
    if value is None or value in ("", ()):
        return ""
    return f"`{str(value).replace(str(Path.home()), '~')}`"


def fill(text: str) -> str:
    """The text with every asked-for table brought up to date."""
    text = BLOCK.sub(lambda found: found[1] + table(found["module"], found["name"]) + found[4], text)
    return FIGURES.sub(lambda found: found[1] + figures.table(bool(found["chinese"])) + found[3], text)


def main(arguments: list[str]) -> int:
    """Fill the READMEs; 1 if `--check` was asked and one is stale."""
    stale = []
    for path in [ROOT / "README.md", ROOT / "README.zh-CN.md", *ROOT.glob("apps/*/README.md"), ROOT / "core/README.md"]:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if fill(text) != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in arguments:
                path.write_text(fill(text), encoding="utf-8")
    if stale:
        print(("stale, run `make docs`: " if "--check" in arguments else "written: ") + ", ".join(stale))
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
