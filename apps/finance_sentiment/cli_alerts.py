"""The verbs `triptych finance alerts ...` and `triptych finance notify ...`.

Knows arguments and what to print; works on the database, beside a running server.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.console import put_json, put_table, say

if TYPE_CHECKING:
    from apps.finance_sentiment.alert_desk import AlertDesk
    from apps.finance_sentiment.alerts import Alert

alerts = typer.Typer(no_args_is_help=True)
notify = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Id = Annotated[int, typer.Argument(help="The alert's number, as `alerts list` shows it.")]
By = Annotated[str | None, typer.Option(help="Who does it.", show_default="the user of this machine")]


@alerts.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Open alerts, the gravest first."""
    from apps.finance_sentiment.alert_life import OPEN
    from apps.finance_sentiment.alert_reads import Filter

    with _desk() as desk:
        chosen = Filter() if everything else Filter(states=tuple(OPEN))
        page, _ = desk.list_alerts(chosen, order="newest" if everything else "severity", limit=limit)
    if as_json:
        put_json([_told(alert) for alert in page])
        return
    if not page:
        say("No alert." if everything else "No open alert.")
        return
    rows = [
        (
            a.id,
            a.rule.severity,
            a.state + (" (silenced)" if a.silenced else ""),
            _when(a.started_at),
            a.owner,
            a.summary_en,
        )
        for a in page
    ]
    put_table(("alert", "severity", "state", "since (UTC)", "owner", "what"), rows)


@alerts.command()
def ack(id: Id, by: By = None, comment: Annotated[str, typer.Option(help="Why, or what next.")] = "") -> None:
    """Acknowledge an alert: somebody looks after it, and it is not told again."""
    with _desk() as desk:
        alert = desk.acknowledge(id, by or getpass.getuser(), int(time.time()), comment=comment)
    say(f"Alert {alert.id} is acknowledged by {alert.acknowledged_by}.", "green")


@alerts.command()
def silence(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why; shown to everybody.")],
    minutes: Annotated[int, typer.Option(min=1, max=60 * 24 * 30, help="For how long.")] = 120,
    by: By = None,
) -> None:
    """Send nothing of an alert's rule and series for a while; it stays on the dashboard."""
    with _desk() as desk:
        alert, made = desk.silence_alert(id, by or getpass.getuser(), reason, minutes * 60, int(time.time()))
    say(f"Alert {alert.id} is silent until {_when(int(made.ends_at))} UTC (silence {made.id}).", "green")


@notify.command("test")
def test_channel(
    channel: Annotated[str | None, typer.Argument(help="One channel; none means all.")] = None, as_json: AsJson = False
) -> None:
    """Send a test message to a channel, or to all. Exit code 1 if one did not take it."""
    with _desk() as desk:
        names = [channel] if channel else [each.name for each in desk.channels() if each.enabled]
        reached = {name: desk.test_channel(name) for name in names}
    if as_json:
        put_json({name: {"delivered": r.delivered, "detail": r.detail} for name, r in reached.items()})
    elif not reached:
        say("There is no channel. `triptych finance notify add` makes one.")
    else:
        rows = [(name, "delivered" if r.delivered else "FAILED", r.detail) for name, r in reached.items()]
        put_table(("channel", "", "detail"), rows)
    if not all(r.delivered for r in reached.values()):
        raise typer.Exit(1)


@notify.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name; a channel of that name is replaced.")],
    kind: Annotated[str, typer.Option(help="webhook, slack, dingtalk, feishu, wecom or email.")],
    url: Annotated[str, typer.Option(help="Where to post, for all but email.")] = "",
    to: Annotated[list[str] | None, typer.Option(help="An address, for email; may be repeated.")] = None,
    secret: Annotated[
        str, typer.Option(help="Signs what is sent, or the mail server's password.", envvar="TRIPTYCH_CHANNEL_SECRET")
    ] = "",
    smtp: Annotated[str, typer.Option(help="The mail server, as in mail.example.com:587.")] = "",
    sender: Annotated[str, typer.Option(help="The sender's address, for email.")] = "",
    user: Annotated[str, typer.Option(help="Login at the mail server.")] = "",
    role: Annotated[str, typer.Option(help="default, named or escalation.")] = "default",
    min_severity: Annotated[str, typer.Option(help="info, warning or critical.")] = "info",
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
) -> None:
    """Add a channel, or change it. A running server takes it at once."""
    from apps.finance_sentiment.notify.channel import Channel, Smtp

    server = None
    if smtp:
        host, _, port = smtp.partition(":")
        server = Smtp(host, sender, int(port) if port.isdecimal() else 587, username=user)
        if server.port == 465:
            server = Smtp(host, sender, 465, "tls", user)
    made: Any = Channel(
        name, kind, url, secret, tuple(to or ()), server, role, min_severity, language=language  # type: ignore[arg-type]
    )  # fmt: skip
    with _desk() as desk:
        kept = desk.put_channel(made)
    say(f"{kept.name}: {kept.kind} to {kept.target}. Try it: triptych finance notify test {kept.name}", "green")


@notify.command("list")
def list_channels(as_json: AsJson = False) -> None:
    """The channels, and how they do."""
    with _desk() as desk:
        health = desk.channel_health()
        found = desk.channels()
    rows = [
        {
            "name": c.name,
            "kind": c.kind,
            "target": c.target,
            "role": c.role,
            "enabled": c.enabled,
            "waiting": health[c.name].waiting if c.name in health else 0,
        }
        for c in found
    ]
    if as_json:
        put_json(rows)
    elif rows:
        put_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        say("There is no channel.")


@notify.command()
def remove(name: Annotated[str, typer.Argument(help="The channel.")]) -> None:
    """Remove a channel; what waits for it is not sent."""
    with _desk() as desk:
        desk.delete_channel(name)
    say(f"{name} is removed.")


@contextmanager
def _desk() -> Iterator[AlertDesk]:
    from apps.finance_sentiment.alert_desk import AlertDesk
    from apps.finance_sentiment.notify.send import sender
    from apps.finance_sentiment.settings import FinanceSettings
    from apps.finance_sentiment.store import Store
    from core.log import configure
    from core.web.addresses import PORTS

    settings = FinanceSettings()
    configure(settings, quietly=True)
    with Store.open(settings.url) as store:
        send = sender(
            public_url=settings.public_url,
            allow_private=settings.outbound_private,
            ports={*PORTS, *settings.outbound_ports},
        )
        yield AlertDesk(store.engine, send)


def _told(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "rule": alert.rule.id,
        "dimension": alert.key.dimension,
        "value": alert.key.value,
        "severity": alert.rule.severity,
        "state": alert.state,
        "silenced": alert.silenced,
        "owner": alert.owner,
        "started_at": datetime.fromtimestamp(alert.started_at, UTC).isoformat(),
        "summary": alert.summary_en,
    }


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
