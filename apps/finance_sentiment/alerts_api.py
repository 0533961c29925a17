"""Alerts over HTTP: lists, one alert, acts and the stream of changes. Knows the desk's values; errors are problem+json.

Routes are plain functions: they run on threads, for the database waits. Silences and channels: `alert_admin_api`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import SecretStr

from apps.finance_sentiment.alert_admin_api import channels_router, silences_router
from apps.finance_sentiment.alert_admin_schemas import Silenced, SilenceOut
from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.alert_life import OPEN, STATES, State
from apps.finance_sentiment.alert_reads import Filter, Order
from apps.finance_sentiment.alert_schemas import (
    Acknowledge,
    AlertDetail,
    AlertOut,
    AlertPage,
    Assign,
    AuditOut,
    CommentIn,
    Quiet,
    Tally,
)
from apps.finance_sentiment.rows import epoch
from core.errors import InputError
from core.web.auth import key_check
from core.web.stream import EventStream

PREFIX = "/finance/alerts"
FOLLOW_SECONDS = 0.5
"""How often the stream looks for news."""
LARGEST_ID = 2**62

AlertId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Asked = Literal["pending", "firing", "acknowledged", "no_data", "resolved", "inactive", "open", "silenced"]
Word = Annotated[str | None, Query(max_length=200)]


def alerts_router(desk: Callable[[], AlertDesk], admin_key: SecretStr | None) -> APIRouter:
    """Routes of the alerts, silences and channels. Changing asks for the admin key where one is set, reading of alerts
    and silences does not; channels and notifications are the keeper's alone."""
    router = APIRouter(tags=["alerts"])
    keeper = [Depends(key_check(admin_key))]

    @router.get(PREFIX, summary="List alerts")
    def list_alerts(
        response: Response,
        state: Annotated[list[Asked], Query(max_length=20)] = [],  # noqa: B006
        severity: Annotated[list[Literal["info", "warning", "critical"]], Query(max_length=20)] = [],  # noqa: B006
        rule: Word = None,
        dimension: Word = None,
        value: Word = None,
        owner: Word = None,
        since: datetime | None = None,
        order: Order = "newest",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> AlertPage:
        response.headers["Cache-Control"] = "no-store"
        chosen = Filter(
            *_states(state), tuple(severity), _clean(rule), _clean(dimension), _clean(value), _clean(owner),
            None if since is None else seconds_of(since, "since"),
        )  # fmt: skip
        items, following = desk().list_alerts(chosen, order=order, limit=limit, after=after)
        return AlertPage(items=[AlertOut.of(a) for a in items], next=following)

    @router.get(f"{PREFIX}/counts", summary="How many alerts there are")
    def count_alerts(response: Response) -> Tally:
        response.headers["Cache-Control"] = "no-store"
        states, severities, silenced = desk().count_alerts()
        return Tally(by_state=states, by_severity=severities, silenced=silenced)

    @router.get(f"{PREFIX}/stream", summary="Follow alerts as they change", response_class=EventStream, status_code=200)
    async def stream(request: Request, after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None) -> EventStream:
        seen = request.headers.get("last-event-id", "")
        last = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else after
        return EventStream(follow(desk(), last))

    @router.get(f"{PREFIX}/{{alert_id}}", summary="One alert with evidence and trail")
    def get_alert(alert_id: AlertId, response: Response) -> AlertDetail:
        response.headers["Cache-Control"] = "no-store"
        return AlertDetail.whole(desk().whole_alert(alert_id), desk().notifications(alert_id=alert_id))

    @router.post(f"{PREFIX}/{{alert_id}}/acknowledge", summary="Look after an alert", dependencies=keeper)
    def acknowledge(alert_id: AlertId, body: Acknowledge) -> AlertOut:
        done = desk().acknowledge(alert_id, body.by, desk().now, version=body.version, comment=body.comment)
        return AlertOut.of(done)

    @router.post(f"{PREFIX}/{{alert_id}}/assign", summary="Give an alert to somebody", dependencies=keeper)
    def assign(alert_id: AlertId, body: Assign) -> AlertOut:
        return AlertOut.of(desk().assign(alert_id, body.by, body.owner, desk().now, version=body.version))

    @router.post(f"{PREFIX}/{{alert_id}}/comment", summary="Comment on an alert", dependencies=keeper)
    def comment(alert_id: AlertId, body: CommentIn) -> AlertOut:
        return AlertOut.of(desk().comment(alert_id, body.by, body.text, desk().now))

    @router.post(f"{PREFIX}/{{alert_id}}/resolve", summary="Close an alert", dependencies=keeper)
    def resolve(alert_id: AlertId, body: Acknowledge) -> AlertOut:
        done = desk().resolve(alert_id, body.by, desk().now, version=body.version, comment=body.comment)
        return AlertOut.of(done)

    @router.post(f"{PREFIX}/{{alert_id}}/silence", summary="Silence an alert", dependencies=keeper)
    def silence(alert_id: AlertId, body: Quiet) -> Silenced:
        now = desk().now
        alert, made = desk().silence_alert(alert_id, body.by, body.reason, body.minutes * 60, now)
        return Silenced(alert=AlertOut.of(alert), silence=SilenceOut.of(made, now))

    router.include_router(silences_router(desk, admin_key))
    router.include_router(channels_router(desk, admin_key))
    return router


async def follow(desk: AlertDesk, last: int | None) -> AsyncGenerator[bytes, None]:
    """Server-sent events of everything that happens to alerts from now on, or after an entry of the trail."""
    if last is None:
        last = await asyncio.to_thread(desk.last_event)
    yield _event("ready", {"last": last})
    while True:
        news = await asyncio.to_thread(desk.events_after, last)
        for entry, alert in news:
            last = entry.id
            body = {
                "event": AuditOut.of(entry).model_dump(mode="json"),
                "alert": AlertOut.of(alert).model_dump(mode="json"),
            }
            yield _event("alert", body, entry.id)
        if not news:
            await asyncio.sleep(FOLLOW_SECONDS)


def seconds_of(at: datetime, field: str) -> int:
    """Whole seconds since 1970.

    :raises InputError: if the time has no zone, or is out of range.
    """
    if at.tzinfo is None:
        raise InputError(f"{field} has no time zone. Write it as in 2026-03-02T09:00:00Z.")
    if not 1970 <= at.year <= 2200:
        raise InputError(f"{field} is in the year {at.year}; give one between 1970 and 2200.")
    return epoch(at)


def _event(name: str, data: object, id: int | None = None) -> bytes:
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _states(asked: list[Asked]) -> tuple[tuple[State, ...], bool | None]:
    """The states to look for, and whether only silenced ones."""
    if "silenced" in asked:
        return OPEN, True
    named: set[str] = set(asked)
    if "open" in named:
        named |= set(OPEN)
    return tuple(s for s in STATES if s in named), None


def _clean(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "")
