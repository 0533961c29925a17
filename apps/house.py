"""The verbs that belong to no single app: `serve`, `db upgrade`, `doctor`.

Knows the apps only by the names it is given; imports their parts when a verb runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.console import hint, output, put_json, put_table, say

if TYPE_CHECKING:
    from core.doctor import Check
    from core.settings import CoreSettings, Settings
    from core.web import Part, WebSettings


@dataclass(frozen=True, slots=True)
class App:
    """An app of the suite, by the names of its parts; nothing of it is imported before it is asked for."""

    verb: str
    """Its word on the command line and in URLs."""
    package: str
    """Its folder under `apps`."""
    settings: str
    """The class in its `settings.py`."""
    help: str

    def part(self, name: str) -> Any:
        """A module of the app, as in `part("api")`."""
        return importlib.import_module(f"apps.{self.package}.{name}")

    def settings_class(self) -> type[CoreSettings]:
        """The app's settings."""
        found: type[CoreSettings] = getattr(self.part("settings"), self.settings)
        return found


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.", show_default="127.0.0.1"),
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.", show_default="8000")
]


def add_verbs(root: typer.Typer, apps: Sequence[App]) -> None:
    """Hang the verbs into the command tree."""
    db = typer.Typer(no_args_is_help=True)
    db.callback()(_db)
    root.add_typer(db, name="db", help="The database.")

    @root.command()
    def serve(host: Host = None, port: Port = None) -> None:
        """Serve every app there is, and a start page."""
        from core.web import create_web_app
        from core.web.published import published_part
        from core.web.run import run, web_settings

        settings = load_settings(quietly=False)
        web = web_settings(host, port)
        parts = [*(web_part(app, web) for app in apps), published_part(settings, web)]
        run(create_web_app("Triptych", parts, web, max_body_bytes=settings.max_body_bytes), web, settings)

    @db.command()
    def upgrade(as_json: AsJson = False) -> None:
        """Bring the tables of every app to this version; does nothing where they are there already."""
        from core.store import open_engine
        from core.store import upgrade as bring_up

        engine = open_engine(load_settings().url)
        try:
            revisions = {app.verb: bring_up(engine, app.package) for app in apps}
        finally:
            engine.dispose()
        if as_json:
            put_json(revisions)
        else:
            put_table(("app", "revision"), revisions.items())

    @root.command()
    def doctor(as_json: AsJson = False) -> None:
        """Look for what is missing or wrong, and say how to mend it. Exit code 1 if something is broken."""
        from core.doctor import examine

        checks = examine([app.package for app in apps], load_settings(), known_settings(apps))
        broken = any(check.state == "broken" for check in checks)
        if as_json:
            put_json({"healthy": not broken, "checks": [check.as_dict() for check in checks]})
        else:
            _show(checks)
        if broken:
            raise typer.Exit(1)


def _db() -> None:
    """A group of one verb stays a group."""


def web_part(app: App, web: WebSettings) -> Part:
    """An app as a part of the server; its service is opened when the server starts."""
    api = app.part("api")
    settings = app.settings_class()()
    part: Part = api.part(lambda: api.build(settings, None, None), web)
    return part


def known_settings(apps: Sequence[App]) -> list[type[Settings]]:
    """Every settings class there is."""
    from core.settings import CoreSettings
    from core.web.settings import WebSettings

    return [CoreSettings, WebSettings, *(app.settings_class() for app in apps)]


def load_settings(*, quietly: bool = True) -> CoreSettings:
    """The settings in force, with logs set up.

    :param quietly: see `core.log.configure`.
    """
    from core.log import configure
    from core.settings import CoreSettings

    settings = CoreSettings()
    configure(settings, quietly=quietly)
    return settings


def explain_settings(error: BaseException) -> str | None:
    """Which setting is wrong and where it was set; None if the error is about something else."""
    import tomllib

    from pydantic import ValidationError

    toml = Path(os.environ.get("TRIPTYCH_CONFIG", "triptych.toml"))
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"{toml} is not valid TOML: {error}."
    if not isinstance(error, ValidationError) or not error.title.endswith("Settings"):
        return None
    lines = []
    for item in error.errors():
        name = "__".join(str(part) for part in item["loc"])
        variable = f"TRIPTYCH_{name}".upper()
        where = variable if variable in os.environ else f"{name} in {toml}" if toml.exists() else name
        lines.append(f"Setting {where} = {item['input']!r}: {item['msg']}.")
    return "\n".join(lines)


SIGNS = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "warning": ("warn", "yellow"),
    "broken": ("BROKEN", "bold red"),
}


def _show(checks: Sequence[Check]) -> None:
    from rich.text import Text

    width = max(len(check.name) for check in checks)
    for check in checks:
        sign, style = SIGNS[check.state]
        output().print(Text.assemble((f"{sign:>6}", style), f"  {check.name:<{width}}  ", check.detail))
        if check.fix:
            say(f"{'':6}  {'':{width}}  -> {check.fix}", style)
    broken = sum(check.state == "broken" for check in checks)
    if broken:
        hint(f"{broken} broken: the arrows say what to do.", "bold red")
    else:
        hint("Nothing is broken.", "green" if sys.stderr.isatty() else "")
