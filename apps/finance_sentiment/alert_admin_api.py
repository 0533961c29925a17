"""Silences, channels and notifications over HTTP. Keys of channels go in and never come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import SecretStr

from apps.finance_sentiment.alert_admin_schemas import (
    ChannelIn,
    ChannelList,
    ChannelOut,
    NotificationList,
    SilenceIn,
    SilenceList,
    SilenceOut,
    Tested,
)
from apps.finance_sentiment.alert_channels import ChannelHealth
from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.alert_routing import Matcher
from apps.finance_sentiment.alert_schemas import NotificationOut
from apps.finance_sentiment.rows import epoch
from core.errors import InputError
from core.web.auth import key_check

SILENCES, CHANNELS, NOTIFICATIONS = "/finance/silences", "/finance/channels", "/finance/notifications"

SilenceId = Annotated[int, Path(ge=1, le=2**62)]
ChannelName = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


def silences_router(desk: Callable[[], AlertDesk], admin_key: SecretStr | None) -> APIRouter:
    """Routes of the silences."""
    router = APIRouter(tags=["silences"])
    keeper = [Depends(key_check(admin_key))]

    @router.get(SILENCES, summary="List silences")
    def list_silences(
        state: Literal["scheduled", "active", "expired"] | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> SilenceList:
        now = desk().now
        return SilenceList(items=[SilenceOut.of(s, now) for s in desk().silences(now, state=state, limit=limit)])

    @router.post(SILENCES, summary="Silence alerts", status_code=201, dependencies=keeper)
    def add_silence(body: SilenceIn) -> SilenceOut:
        now = desk().now
        return SilenceOut.of(desk().add_silence(*_wanted(body, now), now), now)

    @router.get(f"{SILENCES}/{{silence_id}}", summary="One silence")
    def get_silence(silence_id: SilenceId) -> SilenceOut:
        return SilenceOut.of(desk().silence(silence_id), desk().now)

    @router.put(f"{SILENCES}/{{silence_id}}", summary="Change a silence", dependencies=keeper)
    def change_silence(silence_id: SilenceId, body: SilenceIn) -> SilenceOut:
        now = desk().now
        return SilenceOut.of(desk().change_silence(silence_id, *_wanted(body, now), now), now)

    @router.delete(f"{SILENCES}/{{silence_id}}", summary="End a silence now", dependencies=keeper)
    def end_silence(silence_id: SilenceId, by: Annotated[str, Query(min_length=1, max_length=80)]) -> SilenceOut:
        now = desk().now
        return SilenceOut.of(desk().end_silence(silence_id, by, now), now)

    return router


def channels_router(desk: Callable[[], AlertDesk], admin_key: SecretStr | None) -> APIRouter:
    """Routes of the channels and of what waits for them."""
    router = APIRouter(tags=["channels"], dependencies=[Depends(key_check(admin_key))])

    @router.get(CHANNELS, summary="List channels")
    def list_channels() -> ChannelList:
        health = desk().channel_health()
        items = [ChannelOut.of(c, health.get(c.name, ChannelHealth())) for c in desk().channels()]
        return ChannelList(items=items)

    @router.put(f"{CHANNELS}/{{name}}", summary="Add or replace a channel")
    def put_channel(name: ChannelName, body: ChannelIn) -> ChannelOut:
        channel = desk().put_channel(body.channel(name), keep_url=body.url is None, keep_secret=body.secret is None)
        return ChannelOut.of(channel, desk().channel_health().get(name, ChannelHealth()))

    @router.delete(f"{CHANNELS}/{{name}}", summary="Forget a channel", status_code=204)
    def delete_channel(name: ChannelName) -> None:
        desk().delete_channel(name)

    @router.post(f"{CHANNELS}/{{name}}/test", summary="Send a test")
    def test_channel(name: ChannelName) -> Tested:
        reached = desk().test_channel(name)
        return Tested(delivered=reached.delivered, detail=reached.detail, seconds=round(reached.seconds, 3))

    @router.get(NOTIFICATIONS, summary="List notifications")
    def list_notifications(
        state: Literal["waiting", "delivered", "dead"] | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> NotificationList:
        return NotificationList(items=[NotificationOut.of(n) for n in desk().notifications(state=state, limit=limit)])

    @router.post(f"{NOTIFICATIONS}/{{notification_id}}/retry", summary="Put a given-up notification back in line")
    def retry(notification_id: SilenceId) -> NotificationOut:
        again = NotificationOut.of(desk().retry_notification(notification_id, desk().now))
        desk().deliverer.wake()
        return again

    return router


def _wanted(body: SilenceIn, now: int) -> tuple[list[Matcher], int, int, str, str]:
    for name, at in (("starts_at", body.starts_at), ("ends_at", body.ends_at)):
        if at is not None and (at.tzinfo is None or not 1970 <= at.year <= 2200):
            raise InputError(f"{name} is {at.isoformat()}; give a time with its zone, as in 2026-03-02T09:00:00Z.")
    starts = now if body.starts_at is None else epoch(body.starts_at)
    return [Matcher(m.field, m.value) for m in body.matchers], starts, epoch(body.ends_at), body.reason, body.by
