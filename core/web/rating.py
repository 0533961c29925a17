"""The page on which people rate answers, and its routes: a part for any server.

Knows HTTP and `core.evaluate`'s ratings; knows no app. What goes to the page never names a system, until the results
do: those are for whoever has the admin key, or, where no key is set, for everybody once every rater is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from pydantic import BaseModel, Field

from core.errors import Conflict
from core.evaluate.human import STEPS, Unit
from core.evaluate.human_results import results_csv, results_json
from core.evaluate.ratings import LONGEST_NAME, RatingLog, Verdict, rater_name
from core.web.app import create_web_app
from core.web.auth import key_check
from core.web.part import Part
from core.web.settings import WebSettings
from core.web.static import CORE_ASSETS, file

PREFIX = "/rating"
LARGEST_BODY = 16 * 1024

TITLE = {"en": "Rate answers", "zh": "评价回答"}
SUMMARY = {
    "en": "Compare answers or rate them from 1 to 5, without knowing which system wrote them.",
    "zh": "在不知道出自哪个系统的情况下，比较回答或给回答打 1 到 5 分。",
}

Name = Annotated[str, Query(max_length=4 * LONGEST_NAME, description="Who rates.")]
Key = Annotated[str, Path(max_length=64, description="A unit, as `next` names it.")]


class TaskOut(BaseModel):
    """What there is to rate; not the name of the file, which may name the systems."""

    mode: Literal["pairwise", "scale"]
    units: int
    raters: list[str]
    """Those who were asked; empty: anybody may rate under a name."""
    steps: int = STEPS


class UnitOut(BaseModel):
    """Something to rate, blind: answers from left to right, no names."""

    unit: str
    prompt: str
    context: str
    answers: list[str]
    verdict: Verdict | None
    """What this rater said before, if anything."""


class NextOut(BaseModel):
    """What to rate now; no unit: all is done."""

    done: int
    total: int
    unit: UnitOut | None


class RatingIn(BaseModel):
    """A rating: side by side "left", "right" or "equal", on the scale 1 to 5."""

    rater: str = Field(max_length=4 * LONGEST_NAME)
    unit: str = Field(max_length=64)
    verdict: Literal["left", "right", "equal"] | Annotated[int, Field(strict=True, ge=1, le=STEPS)]


class ProgressOut(BaseModel):
    """How far everybody is."""

    total: int
    raters: dict[str, int]
    finished: bool


def rating_part(log: RatingLog, web: WebSettings) -> Part:
    """The rating page of one task as a part of a server."""
    return Part(
        name="rating",
        path=f"{PREFIX}/",
        title=TITLE,
        summary=SUMMARY,
        routers=[_pages(), _rating(log), _results(log, _may_see(log, web))],
        ready=lambda: {"ratings": "ok" if log.path.parent.is_dir() else f"{log.path.parent} is gone"},
    )


def create_rating_app(log: RatingLog, web: WebSettings) -> FastAPI:
    """A server of the rating page alone."""
    return create_web_app("Triptych ratings", [rating_part(log, web)], web, max_body_bytes=LARGEST_BODY)


def _pages() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(PREFIX)
    async def without_slash() -> RedirectResponse:
        return RedirectResponse(f"{PREFIX}/")

    @router.get(f"{PREFIX}/")
    async def page() -> FileResponse:
        return file(CORE_ASSETS / "rating.html")

    return router


def _rating(log: RatingLog) -> APIRouter:
    """Plain functions: they run on threads, for saving waits for the disk."""
    router = APIRouter(prefix=PREFIX, tags=["rating"], dependencies=[Depends(_fresh)])

    def out(rater: str, unit: Unit) -> UnitOut:
        before = log.of(rater, unit.key)
        return UnitOut(
            unit=unit.key,
            prompt=unit.item.prompt,
            context=unit.item.context,
            answers=[unit.item.answers[system] for system in log.task.shown(rater, unit.key)],
            verdict=before.verdict if before else None,
        )

    def now(rater: str, after: str | None = None) -> NextOut:
        name = rater_name(rater, log.raters)
        unit = log.next(name, after)
        done = log.progress().get(name, 0)
        return NextOut(done=done, total=len(log.task.units), unit=out(name, unit) if unit else None)

    @router.get("/task", summary="What there is to rate")
    def task() -> TaskOut:
        found = log.task
        return TaskOut(mode=found.mode, units=len(found.units), raters=list(log.raters))

    @router.get("/next", summary="What to rate now")
    def next_unit(rater: Name, after: Annotated[str | None, Query(max_length=64)] = None) -> NextOut:
        return now(rater, after)

    @router.get("/units/{key}", summary="A unit again, to think better of it")
    def unit(key: Key, rater: Name) -> UnitOut:
        return out(rater_name(rater, log.raters), log.task.unit(key))

    @router.post("/ratings", summary="Rate; the answer is what comes next", status_code=201)
    def rate(rating: RatingIn) -> NextOut:
        log.add(rating.rater, rating.unit, rating.verdict)
        return now(rating.rater, rating.unit)

    @router.get("/progress", summary="How far everybody is")
    def progress() -> ProgressOut:
        return ProgressOut(total=len(log.task.units), raters=log.progress(), finished=log.finished())

    return router


def _results(log: RatingLog, may_see: Callable[[Request], None]) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["rating"], dependencies=[Depends(may_see), Depends(_fresh)])

    @router.get("/results", summary="Win rates or means, with agreement")
    def results() -> Any:
        return results_json(log.task, log.ratings())["results"]

    @router.get("/export.json", summary="Results and all ratings")
    def export_json(response: Response) -> dict[str, Any]:
        response.headers["Content-Disposition"] = 'attachment; filename="ratings.json"'
        return results_json(log.task, log.ratings())

    @router.get("/export.csv", summary="All ratings for a spreadsheet")
    def export_csv() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="ratings.csv"', "Cache-Control": "no-store"}
        return Response(results_csv(log.task, log.ratings()), media_type="text/csv", headers=headers)

    return router


def _may_see(log: RatingLog, web: WebSettings) -> Callable[[Request], None]:
    with_key = key_check(web.admin_key)

    def check(request: Request) -> None:
        with_key(request)
        if web.admin_key is None and not log.finished():
            raise Conflict(
                "The results name the systems, so they wait until every rater is done. "
                "`triptych evaluate human report` shows them any time."
            )

    return check


def _fresh(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"
