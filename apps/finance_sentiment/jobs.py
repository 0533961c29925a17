"""What runs by itself beside the server: sources are polled when they are due, and others' work is done now and then.

Knows sources, feeds and folders; knows no model. Several processes may run it over one database: a source is polled by
whoever leases it. Whatever fails is logged and shown, and tried again; nothing here ends a thread.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from apps.finance_sentiment.feeds import Get, poll
from apps.finance_sentiment.polite import Hosts, Postponed, wait_after_failure, wait_after_success
from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.store_sources import Outcome, Source, SourceKind, SourceStore
from apps.finance_sentiment.streams import Stored
from apps.finance_sentiment.watching import PIECE, WatchedFolder
from core.errors import InputError, SuiteError
from core.web.addresses import PORTS, read_url, refusal, shown
from core.web.outbound import fetch

POLLERS = 4
"""Sources that are polled at once."""
TICK_SECONDS = 1.0
"""How often it is looked whether something is due."""
PATIENCE = 10.0
"""Seconds that a poll somebody asked for waits for its host's turn."""
FEED_SECONDS = 20.0
"""For fetching one feed, redirects included."""
FEED_BYTES = 16 * 2**20

_log = logging.getLogger(__name__)


class Ingest(Protocol):
    """The part of the service that this needs."""

    def ingest(self, texts: Sequence[Incoming]) -> Stored:
        """Take texts in; those that are stored already are known and cost almost nothing."""
        ...


class HasEngine(Protocol):
    """Any store of this app."""

    @property
    def engine(self) -> sa.Engine:
        """The database, its tables up to date."""
        ...


class JobSettings(Protocol):
    """The settings that this needs."""

    @property
    def outbound_private(self) -> bool:
        """Whether feeds may lie on private addresses."""
        ...

    @property
    def outbound_ports(self) -> Collection[int]:
        """Ports that may be used beside 80, 443, 8080 and 8443."""
        ...

    @property
    def watch_folder(self) -> str:
        """Folder below which folders may be watched; empty for none."""
        ...


@dataclass(frozen=True, slots=True)
class PollReport:
    """What a poll brought."""

    found: int = 0
    """Texts that were there."""
    new: int = 0
    problems: tuple[str, ...] = ()


class Jobs:
    """Threads that poll sources and do periodic work, from `start` to `close`.

    :param get: fetches feeds; `core.web.outbound.fetch` within the settings' bounds where left out.
    """

    def __init__(
        self,
        service: Ingest,
        store: HasEngine,
        settings: JobSettings,
        *,
        get: Get | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self.service, self.settings = service, settings
        self.sources = SourceStore(store.engine)
        self._ports = PORTS | set(settings.outbound_ports)
        self._get: Get = get or partial(
            fetch,
            timeout=FEED_SECONDS,
            max_bytes=FEED_BYTES,
            allow_private=settings.outbound_private,
            ports=self._ports,
        )
        self._hosts = hosts or Hosts()
        self._folders: dict[str, WatchedFolder] = {}
        self._problems: dict[str, str] = {}
        self._closing = threading.Event()
        self._free = threading.Semaphore(POLLERS)
        self._pool = ThreadPoolExecutor(POLLERS, thread_name_prefix="finance-poll")
        self._threads: list[threading.Thread] = []
        self._started = False
        self.every(TICK_SECONDS, self._poll_due, "sources")

    @property
    def problem(self) -> str:
        """What does not work; empty while all does. Sources that fail tell so themselves."""
        return "; ".join(f"{name}: {reason}" for name, reason in sorted(self._problems.copy().items()))

    def every(self, seconds: float, function: Callable[[], object], name: str) -> None:
        """Do something at once and then again, so many seconds after it ended, on a thread of its own."""
        work = partial(self._repeat, seconds, function, name)
        thread = threading.Thread(target=work, name=f"finance-{name}", daemon=True)
        self._threads.append(thread)
        if self._started:
            thread.start()

    def start(self) -> None:
        """Begin."""
        self._started = True
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End, after what is under way."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=10)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check_location(self, kind: SourceKind, location: str) -> str:
        """The location as it is stored.

        :raises InputError: if it is no URL that may be asked, or no folder that may be watched.
        """
        if kind == "feed":
            target = read_url(location.strip(), ports=self._ports)
            if target.literal is not None:
                reason = refusal(target.literal, allow_private=self.settings.outbound_private)
                if reason is not None:
                    raise InputError(f"{shown(location)} leads to {reason}, which may not be asked.")
            return target.url
        if not self.settings.watch_folder:
            raise InputError("No folder may be watched. Set TRIPTYCH_WATCH_FOLDER to the one that holds them.")
        root = Path(self.settings.watch_folder).expanduser().resolve()
        folder = (root / location).resolve()
        if folder != root and root not in folder.parents:
            raise InputError(f"{location} does not lie in {root}, the folder of TRIPTYCH_WATCH_FOLDER.")
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder}. Make it first.")
        return str(folder)

    def poll_now(self, name: str) -> PollReport:
        """Poll a source at once, due or not.

        :raises NotFound: if there is none of that name.
        :raises Conflict: if it is being polled.
        :raises SuiteError: why it failed; the source tells so too.
        """
        source = self.sources.claim(name, time.time())
        report, outcome, error = self._poll(source, PATIENCE)
        self.sources.finish(source, outcome, time.time())
        if error is not None:
            raise error
        return report

    def _repeat(self, seconds: float, function: Callable[[], object], name: str) -> None:
        while not self._closing.is_set():
            try:
                function()
                self._problems.pop(name, None)
            except Exception as error:
                if not self._closing.is_set():
                    self._problems[name] = _told(error)
                    _log.warning("%s: %s", name, _told(error), exc_info=not isinstance(error, SuiteError))
            self._closing.wait(seconds)

    def _poll_due(self) -> None:
        """Give the sources that are due to pollers that are free."""
        while not self._closing.is_set() and self.sources.has_due(time.time()):
            if not self._free.acquire(timeout=TICK_SECONDS):
                continue
            claimed: list[Source] = []
            try:
                claimed = self.sources.claim_due(time.time(), 1)
            finally:
                if not claimed:
                    self._free.release()
            for source in claimed:
                self._pool.submit(self._poll_and_finish, source)
            if not claimed:
                return  # another process was quicker

    def _poll_and_finish(self, source: Source) -> None:
        try:
            _, outcome, error = self._poll(source)
            if error is not None and not outcome.postponed:
                _log.warning("source %s: %s", source.name, error)
            self.sources.finish(source, outcome, time.time())
            self._problems.pop("polls", None)
        except Exception as error:  # the database is gone; the lease ends by itself
            self._problems["polls"] = _told(error)
            _log.warning("source %s: what came of its poll is not written: %s", source.name, _told(error))
        finally:
            self._free.release()

    def _poll(self, source: Source, patience: float = 0.0) -> tuple[PollReport, Outcome, SuiteError | None]:
        """Poll a source whose lease is held; why it failed is both in the outcome and given back."""
        taken = _Taken(self, source)
        try:
            report, outcome = (self._feed if source.kind == "feed" else self._folder)(source, taken, patience)
            return report, outcome, None
        except Postponed as error:
            return taken.report(), Outcome(error.retry_after or TICK_SECONDS, postponed=True), error
        except Exception as error:
            told = error if isinstance(error, SuiteError) else SuiteError(_told(error))
            if told is not error:
                _log.exception("source %s", source.name)
            wait = wait_after_failure(source, told.retry_after, random.random())
            return taken.report(), Outcome(wait, taken.new, error=str(told)), told

    def _feed(self, source: Source, taken: _Taken, patience: float) -> tuple[PollReport, Outcome]:
        polled = poll(source, self._get, self._hosts, datetime.now(UTC), patience=patience)
        for start in range(0, len(polled.texts), PIECE):
            taken(polled.texts[start : start + PIECE])
        problems = tuple(str(problem) for problem in polled.problems)
        wait = wait_after_success(source, taken.new, random.random())
        problem = None if polled.unchanged else "; ".join(problems)
        return taken.report(problems), Outcome(wait, taken.new, "", problem, polled.etag, polled.last_modified)

    def _folder(self, source: Source, taken: _Taken, patience: float) -> tuple[PollReport, Outcome]:
        watched = self._folders.get(source.name)
        if watched is None or str(watched.folder) != source.location:
            watched = self._folders[source.name] = WatchedFolder(Path(source.location), source.name)
        files = list(watched.look(taken))
        problems = tuple(str(problem) for file in files for problem in file.problems[:20])
        problem = "; ".join(problems) if files else None
        return taken.report(problems), Outcome(source.interval_seconds, taken.new, "", problem)


class _Taken:
    """Hands texts on, counts them, and holds the lease meanwhile."""

    def __init__(self, jobs: Jobs, source: Source) -> None:
        self._jobs, self._source = jobs, source
        self.found = self.new = 0

    def __call__(self, texts: Sequence[Incoming]) -> None:
        self.new += self._jobs.service.ingest(texts).new
        self.found += len(texts)
        self._jobs.sources.renew(self._source, time.time())

    def report(self, problems: tuple[str, ...] = ()) -> PollReport:
        return PollReport(self.found, self.new, problems)


def _told(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
