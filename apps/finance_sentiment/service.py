"""The monitor as others use it: texts in, trends and alerts out. Knows neither HTTP nor SQL."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.alerting import Alerting
from apps.finance_sentiment.alerts import Policy
from apps.finance_sentiment.entities import Linker
from apps.finance_sentiment.gazetteer import Gazetteer, load_gazetteer
from apps.finance_sentiment.intake import IngestReport, Intake
from apps.finance_sentiment.metrics import FinanceMetrics
from apps.finance_sentiment.model import FinanceModel
from apps.finance_sentiment.monitor import Monitor
from apps.finance_sentiment.notify.send import Send, sender
from apps.finance_sentiment.reading import Labeller, Reader
from apps.finance_sentiment.rows import epoch
from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules import Rule, read
from apps.finance_sentiment.schemas import Incoming, SeriesKey
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.topics import NAMES
from core.errors import NotFound, SuiteError, Unavailable
from core.progress import Report, quiet
from core.web.addresses import PORTS

TICK_SECONDS = 5.0
KEEP_SECONDS = 60.0
PURGE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Service:
    """One desk's monitor. Everything it needs is given; `build_service` opens the real parts."""

    def __init__(
        self, settings: FinanceSettings, store: Store, model: Labeller, gazetteer: Gazetteer, send: Send
    ) -> None:
        self.settings, self.store, self.gazetteer = settings, store, gazetteer
        self.alerts = AlertDesk(store.engine, send, Policy(reopen_seconds=settings.reopen_minutes * 60))
        store.add_rules([rule.to_json() for rule in default_rules()])
        alerting = Alerting(store, self.alerts, self.name)
        self._rules = self.rules()
        self.monitor = Monitor(store, alerting, self._rules, relevance=settings.relevance)
        reader = Reader(model, Linker(gazetteer), settings)
        self.intake = Intake(store, reader, settings, self.monitor.heard)
        self.problem = ""
        """Why rules are not judged; empty while they are."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="finance-monitor", daemon=True)
        self._purged = self._kept = 0.0

    def start(self) -> None:
        """Begin to judge by the clock, and to send."""
        self.alerts.start()
        self._thread.start()

    def measure(self, metrics: FinanceMetrics) -> None:
        """Tell these metrics of every text, judgement and notification from now on."""
        self.intake.heard = metrics.heard(self.monitor.heard)
        self.alerts.deliverer.send = metrics.sending(self.alerts.deliverer.send)

    @property
    def minute_days(self) -> int:
        """How many days counts by the minute are kept."""
        return self.settings.minute_retention_days

    def names(self) -> Mapping[str, tuple[str, str]]:
        """English and Chinese display name of every company, by its id."""
        return {c.id: (c.title("en"), c.title("zh")) for c in self.gazetteer}

    def name(self, key: SeriesKey) -> str:
        """The name of a series for people."""
        if key.dimension == "entity":
            return self.gazetteer.title(key.value)
        return NAMES[key.value][0] if key.dimension == "topic" and key.value in NAMES else key.value

    def ingest(self, texts: Sequence[Incoming], *, progress: Report = quiet) -> IngestReport:
        """Take texts in; they count, and alerts stand, when this returns. Blocking."""
        return self.intake.ingest(texts, progress=progress)

    def replay(self, texts: Sequence[Incoming], *, progress: Report = quiet) -> IngestReport:
        """Take texts in as if each had arrived when it was published; those without a time arrive with the latest.

        What is older than the latest text of the store is only counted.
        """
        last = max((t.published_at for t in texts if t.published_at), default=datetime.now(UTC))
        arrived = [replace(t, received_at=t.published_at or last) for t in texts]
        arrived.sort(key=lambda t: (t.received_at, t.source, t.id))
        return self.intake.ingest(arrived, progress=progress)

    def rules(self) -> list[Rule]:
        """All rules, those that are off included."""
        return [Rule.from_json(body) for body in self.store.list_rules()]

    def put_rule(self, rule: Rule) -> Rule:
        """Add a rule, or change it; in force when this returns.

        :raises InputError: if it does not fit, or another rule refers to what it no longer is.
        """
        others = [other for other in self.rules() if other.id != rule.id]
        for each in (rule, *others):
            read(each, [*others, rule])
        self.store.put_rule(rule.id, rule.to_json())
        self._set_rules(self.rules())
        return rule

    def delete_rule(self, id: str) -> None:
        """Delete a rule and what it learned; its alerts stay.

        :raises NotFound: if there is none.
        :raises InputError: if another rule refers to it.
        """
        rules = self.rules()
        if id not in {rule.id for rule in rules}:
            raise NotFound(f"There is no rule {id!r}.")
        left = [rule for rule in rules if rule.id != id]
        for rule in left:
            read(rule, left)
        self.store.delete_rule(id)
        self._set_rules(left)

    def ready(self) -> dict[str, str]:
        """Part -> "ok" or what is wrong."""
        try:
            self.store.ping()
            database = "ok"
        except Unavailable as error:
            database = str(error)
        sending = self.alerts.deliverer.problem or "ok"
        return {"database": database, "rules": self.problem or "ok", "notifications": sending}

    def tick(self) -> None:
        """What is due by the clock: rules that may change without a text, alerts, retention."""
        now = datetime.now(UTC)
        seconds = now.timestamp()
        self.monitor.tick()
        self.alerts.tick(int(seconds))
        if seconds - self._kept >= KEEP_SECONDS:
            self._kept = seconds
            self.monitor.flush()
            self._take_up()
        if seconds - self._purged >= PURGE_SECONDS:
            self._purged = seconds
            self.store.delete_minutes_before(epoch(now - timedelta(days=self.settings.minute_retention_days)))
            if self.settings.text_retention_days:
                self.store.delete_texts_before(epoch(now - timedelta(days=self.settings.text_retention_days)))

    def _take_up(self) -> None:
        """Put the rules in force that another process stored."""
        rules = self.rules()
        if rules != self._rules:
            self._set_rules(rules)

    def _set_rules(self, rules: list[Rule]) -> None:
        self.monitor.set_rules(rules)
        self._rules = rules

    async def aclose(self) -> None:
        """Let go of models, database and threads."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """As `aclose`; blocking."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.alerts.close()
        try:
            self.monitor.flush()
        except SuiteError as error:
            _log.warning("what the rules learned last was not kept: %s", error)
        self.store.close()

    def _run(self) -> None:
        while not self._closing.wait(TICK_SECONDS):
            try:
                self.tick()
                self.problem = ""
            except Exception as error:
                self.problem = f"The rules are not judged: {error}"
                _log.warning("%s", self.problem)


def build_service(
    settings: FinanceSettings,
    backend: object | None = None,
    store: object | None = None,
    notifier: Send | None = None,
) -> Service:
    """Open the real parts: database, model, companies, rules, notifications.

    :param backend: replaces the model: an object with `label`.
    :param store: an open `Store`; None opens the database of the settings.
    :param notifier: replaces what sends notifications (see `notify.send`).
    :raises ModelNotPrepared: if a model was never exported.
    :raises InputError: if the file of companies is not usable.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    found = load_gazetteer([settings.companies] if settings.companies else [])
    for problem in found.problems:
        _log.warning("companies: %s", problem)
    model: Labeller = backend if backend is not None else FinanceModel.load(settings)  # type: ignore[assignment]
    send = notifier or sender(
        public_url=settings.public_url,
        allow_private=settings.outbound_private,
        ports={*PORTS, *settings.outbound_ports},
    )
    opened = store if isinstance(store, Store) else Store.open(settings.url)
    try:
        return Service(settings, opened, model, found.gazetteer, send)
    except BaseException:
        opened.close()
        raise
