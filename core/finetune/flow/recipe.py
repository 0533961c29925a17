"""Recipes: options that worked, as small TOML files with comments; shipped ones go by their names.

Knows files and names; what the options mean is `core.finetune.args`'s.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError, NotFound
from core.finetune.args import OptionsT, load_options

SEARCH = "search"
"""Table of a recipe that holds the space of `--search`, not options."""

_FOLDER = Path(__file__).parents[1] / "recipes"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A parsed file."""

    path: Path
    options: Mapping[str, Any]
    """As they stand in the file, tables nested."""
    search: Mapping[str, Any] = field(default_factory=dict)
    """Space of the search by option; empty where the file has none."""

    @property
    def about(self) -> str:
        """The comment it begins with, on one line."""
        lines = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#") or not line.strip("# "):
                break
            lines.append(line.strip("# "))
        return " ".join(lines)

    @property
    def task(self) -> str:
        """The task that its comment calls it with; empty where it says none."""
        found = re.search(r"triptych finetune (\w+)", self.path.read_text(encoding="utf-8"))
        return found[1] if found else ""


def shipped() -> dict[str, Path]:
    """The recipes that come with the suite, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


def read_recipe(name: str | Path) -> Recipe:
    """A recipe by its path, or a shipped one by its name.

    :raises NotFound: if it is neither.
    :raises InputError: if it is no TOML.
    """
    path = Path(name)
    if not path.is_file():
        known = shipped()
        if str(name) not in known:
            raise NotFound(f"No recipe {str(name)!r}: it is no file here and not one of {', '.join(known)}.")
        path = known[str(name)]
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}.") from error
    search = values.pop(SEARCH, {})
    if not isinstance(search, dict):
        raise InputError(f"{path}: [search] must be a table of options.")
    return Recipe(path, values, search)


def make_options(
    kind: type[OptionsT], recipe: Recipe | None = None, overrides: Mapping[str, Any] | None = None
) -> OptionsT:
    """Options of a recipe with overrides by dotted name on top.

    :raises InputError: if a name is unknown or a value out of range; says which, and in which file.
    """
    values = dict(flat(recipe.options)) if recipe else {}
    if recipe is not None:
        try:
            load_options(kind, None, values)
        except InputError as error:
            raise InputError(f"{recipe.path}: {error}") from error
    return load_options(kind, None, {**values, **(overrides or {})})


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Values by dotted name from "name=value" words; a value is read as TOML, or else as plain text.

    >>> parse_overrides(["epochs=3", "lora.rank=8", "backbone=minilm"])
    {'epochs': 3, 'lora.rank': 8, 'backbone': 'minilm'}

    :raises InputError: if a word has no "=".
    """
    out: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {word!r} is not name=value, as in --set epochs=3 or --set lora.rank=8.")
        try:
            out[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            out[name.strip()] = text
    return out


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested tables as (dotted name, value)."""
    out: list[tuple[str, Any]] = []
    for name, value in values.items():
        out += flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return out
