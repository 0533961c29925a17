"""Texts in, and the sources they come from, over HTTP. Knows the jobs and JSON; knows no SQL. Errors are problem+json.

Routes are plain functions: they run on threads, for models and the database wait.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from apps.finance_sentiment.intake import IngestReport
from apps.finance_sentiment.jobs import Jobs
from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.store_sources import HEALTHS, Health, Source, SourceKind
from apps.finance_sentiment.streams import read_object
from core.errors import InputError, NotFound, Overloaded, TooLarge
from core.web.addresses import shown
from core.web.auth import key_check
from core.web.problems import clean, error_response

PREFIX = "/finance"
MOST_TEXTS = 1_000
"""Texts of one request."""
SHORTEST_FEED = 10
"""Seconds between polls of a feed."""
AT_ONCE = 4
"""Requests with texts that are worked on at once; others wait for a moment, then are asked to come again."""
WAIT_SECONDS = 5.0
PUSHED = "api"
"""Source of texts that name none."""

Name = Annotated[str, Path(pattern=r"^[\w-][\w.-]{0,79}$", description="Name of a source.")]
Seconds = Annotated[int, Field(ge=1, le=86_400, description="Feeds: 10 at least.")]
Location = Annotated[str, Field(min_length=1, max_length=2000, description="URL of a feed, or path of a folder.")]


class TakesTexts(Protocol):
    """The part of the service that this needs."""

    def ingest(self, texts: Sequence[Incoming]) -> IngestReport:
        """Take texts in."""
        ...


class SourceChange(BaseModel):
    """What shall be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    kind: SourceKind | None = None
    location: Location | None = None
    interval_seconds: Seconds | None = None
    enabled: bool | None = None


class SourceIn(SourceChange):
    """A new source."""

    name: Annotated[str, Field(pattern=r"^[\w-][\w.-]{0,79}$")]


class SourceOut(BaseModel):
    """A source and how it goes."""

    name: str
    kind: SourceKind
    location: str
    """Values in the query of a URL are not shown: they may be keys."""
    enabled: bool
    interval_seconds: int
    health: Health
    failures: int
    last_error: str
    last_try_at: datetime | None
    last_success_at: datetime | None
    last_new_at: datetime | None
    next_due_at: datetime | None
    wait_seconds: int
    texts: int
    problem: str
    created_at: datetime


class SourceList(BaseModel):
    """All sources by name, and how many there are of each health."""

    items: list[SourceOut]
    counts: dict[Health, int]


class PollOut(BaseModel):
    """What a poll brought."""

    source: SourceOut
    found: int
    new: int
    problems: list[str]


class Refused(BaseModel):
    """A text that was not taken."""

    index: int
    reason: str


class TextsOut(BaseModel):
    """What became of the texts."""

    new: int
    known: int
    stories: int
    negative: int
    undated: int
    seconds: float
    refused: list[Refused]


def sources_router(
    service: Callable[[], TakesTexts], jobs: Callable[[], Jobs], admin_key: SecretStr | None
) -> APIRouter:
    """Routes of texts and sources. Reading is open; everything else asks for the admin key where one is set.

    :param service: gives the running service, or raises Unavailable.
    :param jobs: gives its running jobs, or raises Unavailable.
    """
    router = APIRouter(prefix=PREFIX, tags=["finance sources"])
    keeper = [Depends(key_check(admin_key))]
    places = threading.BoundedSemaphore(AT_ONCE)

    @router.post(
        "/texts", summary="Send texts", dependencies=keeper, response_model=TextsOut, openapi_extra=_TEXTS_BODY
    )
    def add_texts(request: Request, body: Annotated[Any, Body()]) -> TextsOut | Response:
        texts, refused = read_texts_body(body)
        if not texts:
            errors = [{"field": f"texts.{r.index}", "message": r.reason} for r in refused[:20]]
            detail = f"No text could be taken: {errors[0]['message']}"
            kind = "urn:triptych:error:input-error"
            return error_response(request.scope, 422, InputError.title, detail, kind=kind, errors=errors)
        if not places.acquire(timeout=WAIT_SECONDS):
            raise Overloaded("Too many texts are coming in at once. Send them again in a moment.", retry_after=5)
        try:
            report = service().ingest(texts)
        finally:
            places.release()
        return TextsOut(
            new=report.new,
            known=report.known,
            stories=report.stories,
            negative=report.negative,
            undated=report.undated,
            seconds=round(report.seconds, 3),
            refused=refused,
        )

    @router.get("/sources", summary="All sources and how they go")
    def list_sources(response: Response) -> SourceList:
        response.headers["Cache-Control"] = "no-store"
        now = time.time()
        items = [_shown(source, now) for source in jobs().sources.sources()]
        counts = Counter(item.health for item in items)
        return SourceList(items=items, counts={health: counts[health] for health in HEALTHS})

    @router.post("/sources", summary="Add a source", status_code=201, dependencies=keeper)
    def add_source(body: SourceIn) -> SourceOut:
        return _shown(_add(jobs(), body.name, body), time.time())

    @router.get("/sources/{name}", summary="A source and how it goes")
    def get_source(name: Name, response: Response) -> SourceOut:
        response.headers["Cache-Control"] = "no-store"
        return _shown(jobs().sources.source(name), time.time())

    @router.put("/sources/{name}", summary="Add or change a source", dependencies=keeper)
    def put_source(name: Name, body: SourceChange, response: Response) -> SourceOut:
        running = jobs()
        try:
            before = running.sources.source(name)
        except NotFound:
            added = _add(running, name, body)
            response.status_code = 201
            return _shown(added, time.time())
        return _shown(_change(running, before, body), time.time())

    @router.delete("/sources/{name}", summary="Forget a source", status_code=204, dependencies=keeper)
    def delete_source(name: Name) -> None:
        jobs().sources.delete_source(name)

    @router.post("/sources/{name}/poll", summary="Poll a source now", dependencies=keeper)
    def poll_source(name: Name) -> PollOut:
        running = jobs()
        report = running.poll_now(name)
        source = _shown(running.sources.source(name), time.time())
        return PollOut(source=source, found=report.found, new=report.new, problems=list(report.problems))

    return router


def read_texts_body(body: object) -> tuple[list[Incoming], list[Refused]]:
    """The texts of a request, and those that cannot be taken.

    :param body: one object, or `{"texts": [...]}`.
    :raises InputError: if it is neither, or holds no text.
    :raises TooLarge: if it holds too many.
    """
    rows: object = body["texts"] if isinstance(body, dict) and "texts" in body else [body]
    if not isinstance(rows, list) or not rows:
        raise InputError('Send one object, or {"texts": [...]} with one object or more.')
    if len(rows) > MOST_TEXTS:
        raise TooLarge(f"{len(rows):,} texts came at once; {MOST_TEXTS:,} are the most. Send them in parts.")
    now = datetime.now(UTC)
    texts, refused = [], []
    for i, row in enumerate(rows):
        try:
            texts.append(read_object(row, PUSHED, now))
        except InputError as error:
            refused.append(Refused(index=i, reason=clean(str(error).rstrip("."))))
    return texts, refused


def _add(jobs: Jobs, name: str, body: SourceChange) -> Source:
    kind = body.kind or "feed"
    if body.location is None:
        raise InputError("A new source needs a location: the URL of a feed, or a folder.")
    interval = body.interval_seconds or (300 if kind == "feed" else 5)
    _check_interval(kind, interval)
    location = jobs.check_location(kind, body.location)
    return jobs.sources.add_source(Source(name, kind, location, interval, body.enabled is not False))


def _change(jobs: Jobs, before: Source, body: SourceChange) -> Source:
    kind = body.kind or before.kind
    if kind != before.kind and body.location is None:
        raise InputError(f"A source that becomes a {kind} needs a location.")
    _check_interval(kind, body.interval_seconds or before.interval_seconds)
    return jobs.sources.change_source(
        before.name,
        kind=body.kind,
        location=None if body.location is None else jobs.check_location(kind, body.location),
        interval_seconds=body.interval_seconds,
        enabled=body.enabled,
    )


def _check_interval(kind: SourceKind, seconds: int) -> None:
    if kind == "feed" and seconds < SHORTEST_FEED:
        raise InputError(f"A feed is polled every {SHORTEST_FEED} seconds at most, not every {seconds}.")


def _shown(source: Source, now: float) -> SourceOut:
    due = datetime.fromtimestamp(max(source.next_due, int(source.created_at.timestamp())), UTC)
    return SourceOut(
        location=shown(source.location) if source.kind == "feed" else source.location,
        health=source.health(now),
        next_due_at=due if source.enabled else None,
        **{name: getattr(source, name) for name in SourceOut.model_fields if name not in _COMPUTED},
    )


_COMPUTED = {"location", "health", "next_due_at"}
_WORDS = {"type": "string"}
_TEXT: dict[str, Any] = {
    "type": "object",
    "properties": dict.fromkeys(("title", "text", "source", "id", "url", "language"), _WORDS)
    | {"published_at": {"description": "ISO 8601, or seconds or milliseconds since 1970."}},
}
_TEXTS: dict[str, Any] = {
    "type": "object",
    "required": ["texts"],
    "properties": {"texts": {"type": "array", "minItems": 1, "maxItems": MOST_TEXTS, "items": _TEXT}},
}
_TEXTS_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": [_TEXTS, _TEXT]}}}}
}
