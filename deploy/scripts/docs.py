"""Write tables into the READMEs, from the settings and the committed results; `--check` only says if they are stale.

A README asks for a table with a pair of comments: `<!-- settings module:Class -->` and `<!-- /settings -->`,
`<!-- options module:Class -->` and `<!-- /options -->`, or `<!-- figures -->` (`<!-- figures finance zh -->`) and
`<!-- /figures -->`. Of options that build on others (`<!-- options module:Class over module:Base -->`) only those are
told that the base lacks or has otherwise.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import figures  # beside this script
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.settings import Settings, describe

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- settings (?P<module>[\w.]+):(?P<name>\w+) -->\n).*?(<!-- /settings -->)", re.DOTALL)


OPTIONS = re.compile(
    r"(<!-- options (?P<module>[\w.]+):(?P<name>\w+)(?: over (?P<base>[\w.]+:\w+))? -->\n).*?(<!-- /options -->)",
    re.DOTALL,
)
FIGURES = re.compile(
    r"(<!-- figures(?: (?P<group>(?!zh\b)[\w-]+))?(?P<chinese> zh)? -->\n).*?(<!-- /figures -->)", re.DOTALL
)


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


def options(module: str, name: str, base: str | None) -> str:
    """The Markdown table of a class of options, nested ones by dotted name."""
    rows = list(option_rows(getattr(importlib.import_module(module), name)))
    if base is not None:
        place, _, called = base.partition(":")
        known = list(option_rows(getattr(importlib.import_module(place), called)))
        rows = [row for row in rows if row not in known]
    lines = ["| option | default | values | meaning |", "|---|---|---|---|"]
    lines += [f"| `{option}` | {default} | {values} | {meaning} |" for option, default, values, meaning in rows]
    return "\n".join(lines) + "\n"


def option_rows(cls: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Name, default, range or choices, and meaning of every option."""
    for name, field in cls.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            changed = field.get_default(call_default_factory=True, validated_data={})
            own = {
                f"{prefix}{name}.{each}": getattr(changed, each)
                for each in inner.model_fields
                if getattr(changed, each) != inner.model_fields[each].default
            }
            for option, default, values, meaning in option_rows(inner, f"{prefix}{name}."):
                yield option, (as_toml(own[option]) if option in own else default), values, meaning
        else:
            meaning = " ".join((field.description or "").split()).replace("|", "\\|")
            yield f"{prefix}{name}", as_toml(field.default), allowed(field), meaning


def as_toml(value: object) -> str:
    """A default as it would stand in a TOML file."""
    return f"`{json.dumps(value)}`" if value not in ("", ()) else ""


def allowed(field: FieldInfo) -> str:
    """Range or choices of an option, in a table cell."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, key):,}"
        for limit in field.metadata
        for key, sign in signs.items()
        if getattr(limit, key, None) is not None
    ]
    return ", ".join(found) or choices(field.annotation)


def choices(kind: object) -> str:
    """The words a `Literal` allows, also inside unions and tuples; "yes or no" for a switch."""
    if kind is bool:
        return "true, false"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    parts = [choices(part) for part in get_args(kind)]
    if not any(parts):
        return {int: "whole number", str: "text", float: "number"}.get(kind, "") if isinstance(kind, type) else ""
    return ", ".join(part for part in parts if part)


def shown(value: object) -> str:
    """A default for a table cell; the home folder by its sign."""
    if value is None or value in ("", ()):
        return ""
    return f"`{str(value).replace(str(Path.home()), '~')}`"


def fill(text: str) -> str:
    """The text with every asked-for table brought up to date."""
    text = BLOCK.sub(lambda found: found[1] + table(found["module"], found["name"]) + found[4], text)
    text = OPTIONS.sub(lambda found: found[1] + options(found["module"], found["name"], found["base"]) + found[5], text)
    return FIGURES.sub(lambda found: found[1] + figures.table(bool(found["chinese"]), found["group"]) + found[4], text)


def main(arguments: list[str]) -> int:
    """Fill the READMEs; 1 if `--check` was asked and one is stale."""
    stale = []
    for path in [
        ROOT / "README.md",
        ROOT / "README.zh-CN.md",
        *ROOT.glob("apps/*/README.md"),
        *ROOT.glob("core/**/README.md"),
    ]:
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
