"""The verbs `triptych finance rules ...`.

Knows arguments and what to print; works on the database. A running server takes a change up within a minute.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.console import put_json, put_table, say

if TYPE_CHECKING:
    from apps.finance_sentiment.rules import Rule
    from apps.finance_sentiment.store import Store

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Id = Annotated[str, typer.Argument(help="The rule's id, as `rules list` shows it.")]


@app.command("list")
def list_rules(as_json: AsJson = False) -> None:
    """All rules, those that are off included."""
    with _stored() as (_, rules):
        pass
    if as_json:
        put_json([rule.to_json() for rule in rules])
        return
    rows = [
        (r.id, "on" if r.enabled else "off", r.severity, r.dimension, r.value, r.kind, r.measure, r.name) for r in rules
    ]
    put_table(("rule", "", "severity", "dimension", "series", "kind", "measure", "name"), rows)


@app.command()
def show(id: Id) -> None:
    """A rule as JSON, ready to be changed and put back."""
    from apps.finance_sentiment.rules_api import find

    with _stored() as (_, rules):
        put_json(find(rules, id).to_json())


@app.command()
def put(
    file: Annotated[str, typer.Argument(help="JSON file with one rule or a list of rules; - reads standard input.")],
) -> None:
    """Add rules, or change those of the same id; nothing is changed if one does not fit."""
    from apps.finance_sentiment.rules import Rule, read
    from core.errors import InputError

    try:
        found = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not JSON: {error}.") from None
    bodies = found if isinstance(found, list) else [found]
    if not bodies or not all(isinstance(body, dict) for body in bodies):
        raise InputError(f"{file} holds no rule: write one JSON object, or a list of them.")
    new = [Rule.from_json(body) for body in bodies]
    with _stored() as (store, rules):
        ids = {rule.id for rule in new}
        after = [*(rule for rule in rules if rule.id not in ids), *new]
        for rule in after:
            read(rule, after)
        for rule in new:
            store.put_rule(rule.id, rule.to_json())
    say(f"In force: {', '.join(sorted(ids))}.", "green")


@app.command()
def on(id: Id) -> None:
    """Switch a rule on."""
    _switch(id, True)


@app.command()
def off(id: Id) -> None:
    """Switch a rule off; what it learned stays."""
    _switch(id, False)


@app.command()
def delete(id: Id) -> None:
    """Delete a rule of your own and what it learned; its alerts stay."""
    from apps.finance_sentiment.rules import read
    from apps.finance_sentiment.rules_api import check_own, find

    check_own(id)
    with _stored() as (store, rules):
        find(rules, id)
        left = [rule for rule in rules if rule.id != id]
        for rule in left:
            read(rule, left)
        store.delete_rule(id)
    say(f"Rule {id} is deleted.", "green")


def _switch(id: str, enabled: bool) -> None:
    from apps.finance_sentiment.rules_api import find

    with _stored() as (store, rules):
        rule = replace(find(rules, id), enabled=enabled)
        store.put_rule(rule.id, rule.to_json())
    say(f"Rule {id} is {'on' if enabled else 'off'}.", "green")


@contextmanager
def _stored() -> Iterator[tuple[Store, list[Rule]]]:
    """The open store and its rules, the shipped ones added where they are missing."""
    from apps.finance_sentiment.rule_defaults import default_rules
    from apps.finance_sentiment.rules import Rule
    from apps.finance_sentiment.settings import FinanceSettings
    from apps.finance_sentiment.store import Store
    from core.log import configure

    settings = FinanceSettings()
    configure(settings, quietly=True)
    settings.home.mkdir(parents=True, exist_ok=True)
    with Store.open(settings.url) as store:
        store.add_rules([rule.to_json() for rule in default_rules()])
        yield store, [Rule.from_json(body) for body in store.list_rules()]
