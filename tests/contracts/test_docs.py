"""The READMEs tell the truth: their commands exist, their settings are all there, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from apps.__main__ import APPS, build
from apps.house import known_settings
from core.settings import CoreSettings, describe
from tests.contracts.house import ROOT

READMES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", "build", "samples"} & set(path.parts))
FENCE = re.compile(r"^```(?:bash|sh|console)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def commands(word: str) -> list[tuple[str, str]]:
    """Every line of a code block, and every `code` in the text, that calls `word`."""
    found = set()
    for path in READMES:
        text = path.read_text(encoding="utf-8")
        blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
        lines = [*blocks.splitlines(), *re.findall(r"`([^`\n]+)`", text)]
        for line in lines:
            plain = re.sub(r"^(\$ )?(\.venv/bin/)?", "", line.strip())
            if plain.split(" ")[0] == word and " " in plain and "..." not in plain:
                found.add((str(path.relative_to(ROOT)), plain.partition(" #")[0].strip()))
    return sorted(found)


def parse(words: list[str]) -> None:
    """Walk the command tree as the shell would, without running anything."""
    command: Any = typer.main.get_command(build(everything=True))
    context = None
    while True:
        context = command.make_context(words[0], words[1:], parent=context, resilient_parsing=True)
        if not hasattr(command, "commands"):
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            options = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
            assert options <= known | {"--help"}, f"no such options: {options - known}"
            assert not context.args, f"too much: {context.args}"
            return
        words = [*context._protected_args, *context.args]
        if not words:
            return
        assert words[0] in command.commands, f"there is no {words[0]!r}"
        command = command.commands[words[0]]


@pytest.mark.parametrize(("file", "line"), commands("triptych"))
def test_every_command_in_a_readme_exists(file: str, line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
    if "|" not in words[-1]:
        parse(words)


@pytest.mark.parametrize("line", ["triptych nothing", "triptych models list --loud", "triptych models list a b"])
def test_a_command_that_does_not_exist_would_be_found(line: str) -> None:
    with pytest.raises(AssertionError):
        parse(shlex.split(line))


@pytest.mark.parametrize(("file", "line"), commands("make"))
def test_every_make_target_in_a_readme_exists(file: str, line: str) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert {word for word in line.split()[1:] if "=" not in word} <= targets


def test_every_setting_is_told_in_a_table() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in READMES)
    variables = {row["variable"] for cls in known_settings(APPS) for row in describe(cls)}
    missing = sorted(name for name in variables if f"| `{name}` |" not in text)
    assert not missing


def test_the_tables_of_settings_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_says_what_it_means() -> None:
    assert not [row["name"] for cls in known_settings(APPS) for row in describe(cls) if not row["description"]]
    assert describe(CoreSettings)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [link for link in LINK.findall(text) if not (path.parent / link).exists()]


def test_both_readmes_have_the_same_parts() -> None:
    def shape(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return [line.split(" ")[0] for line in text.splitlines() if line.startswith(("# ", "## ", "### ", "```"))]

    assert shape("README.md") == shape("README.zh-CN.md")
