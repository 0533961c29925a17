"""Whether the process lives, and whether it can do its work: two questions, two answers.

`/livez` fails only when the process does: a failing probe there restarts it. `/readyz` asks every app for its parts: a
failing probe there only takes the server out of the balancer, and the start page shows the same answer to people.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from fastapi import APIRouter, Response
from pydantic import BaseModel

from core.log import get_logger
from core.web.part import Part

log = get_logger(__name__)


class Alive(BaseModel):
    """The process answers."""

    status: str


class AppState(BaseModel):
    """One app with the state of what it stands on."""

    name: str
    path: str
    title: dict[str, str]
    summary: dict[str, str]
    status: str
    """ "ok" or "unavailable"."""
    parts: dict[str, str]
    """Part -> "ok" or what is wrong."""


class Readiness(BaseModel):
    """The server with the state of its apps."""

    status: str
    apps: list[AppState]


def app_state(part: Part) -> AppState:
    """Ask an app for its state; an app that cannot say is unavailable."""
    try:
        parts = dict(part.ready())
    except Exception:
        log.error("readiness check failed", app=part.name, exception=traceback.format_exc())
        parts = {"check": "failed; see the server's log"}
    status = "ok" if all(state == "ok" for state in parts.values()) else "unavailable"
    return AppState(
        name=part.name,
        path=part.path,
        title=dict(part.title),
        summary=dict(part.summary),
        status=status,
        parts=parts,
    )


def health_router(parts: Sequence[Part]) -> APIRouter:
    """`GET /livez` and `GET /readyz`."""
    router = APIRouter(tags=["operation"])

    @router.head("/livez", include_in_schema=False)
    @router.get("/livez", summary="The process lives")
    async def livez(response: Response) -> Alive:
        response.headers["Cache-Control"] = "no-store"
        return Alive(status="ok")

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="The apps can do their work",
        responses={503: {"model": Readiness, "description": "A part is not there"}},
    )
    async def readyz(response: Response) -> Readiness:
        apps = [app_state(part) for part in parts]
        ready = all(app.status == "ok" for app in apps)
        response.headers["Cache-Control"] = "no-store"
        response.status_code = 200 if ready else 503
        return Readiness(status="ok" if ready else "unavailable", apps=apps)

    return router
