"""What rules make of a stream: inactive, pending or firing, for every rule and series.

Knows rules, detectors, counts by time and the moment it is told; has no clock, reads no table and sends nothing. The
service and the back-test drive this very code.

A window slides to the current minute and includes it, so that a text counts at once. Detectors learn from whole buckets
that lie before the window, so that no window is compared with itself; and not from buckets in which the rule fired, nor
from the window that made it fire. Buckets are learned when they are needed, in order, each once: a text that comes
later than that changes the counts, not what was learned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.finance_sentiment.detectors import evidence
from apps.finance_sentiment.rule_program import (
    LONGEST_MEMORY,
    Condition,
    Program,
    Reader,
    Track,
    detector_of,
    step_of,
)
from apps.finance_sentiment.rules import ALL, MINUTE, Part, Rule
from apps.finance_sentiment.schemas import Observation, SeriesKey, Verdict

JITTER = 600
"""A clock that jumps back by less is held until it is passed again; one that jumps further is followed."""
USUAL = 30 * 86_400
"""The time over which a source's usual part of all texts is taken, in seconds."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A rule changed its mind on a series."""

    rule_id: str
    key: SeriesKey
    before: Condition
    after: Condition
    at: int
    verdict: Verdict
    window: Observation
    """What was judged: where several windows were, the one that breached, else the first."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one look gave."""

    condition: Condition
    verdict: Verdict | None
    """None where there was too little evidence to look closer."""
    transition: Transition | None = None


def look(program: Program, track: Track, key: SeriesKey, now: int, reader: Reader) -> Step:
    """Judge a series now and change its track accordingly.

    :param now: seconds since 1970: the time of the newest text, or of a tick.
    """
    now = _clock(program.rule, track, now)
    end = (now // MINUTE + 1) * MINUTE
    windows = {w: Observation(end - w, w, reader.counts(key, end - w, end)) for w in program.windows}
    if track.condition == "inactive" and not program.idle and not _enough(program.part, windows):
        return Step("inactive", None)
    _learn(program, track, key, now, end, reader)
    verdict, window = _Judging(program, track, key, now, windows, reader).judge()
    return _move(program, track, key, now, verdict, window, reader)


def _clock(rule: Rule, track: Track, now: int) -> int:
    if now < track.clock:
        if track.clock - now <= JITTER:
            return track.clock
        track.quiet_until = min(track.quiet_until, now + rule.cooldown_seconds)
        track.since = min(track.since, now)
        track.cleared_since = None if track.cleared_since is None else min(track.cleared_since, now)
        track.surges = [[min(start, now), min(stop, now)] for start, stop in track.surges]
    track.clock = now
    return now


def _enough(part: Part, windows: Mapping[int, Observation]) -> bool:
    """Whether the evidence would do for a breach."""
    if part.detector is not None:
        return _heard(part, windows)
    joined = all if part.kind == ALL else any
    return joined(_enough(p, windows) for p in part.parts) and _heard(part, windows)


def _heard(part: Part, windows: Mapping[int, Observation]) -> bool:
    return evidence(windows[part.window_seconds].counts, part.measure) >= part.minimum_evidence


def _learn(program: Program, track: Track, key: SeriesKey, now: int, end: int, reader: Reader) -> None:
    """Learn every bucket that lies wholly before the window, as far as it was not."""
    for i, leaf in enumerate(program.leaves):
        detector, step = detector_of(leaf), step_of(leaf)
        until = (now if detector.aligned else end - leaf.window_seconds) // step * step
        at = max(track.learned[i], (until - LONGEST_MEMORY) // step * step)
        if at >= until:
            continue
        state = track.states[i]
        for bucket in reader.filled(key, at, until, step):
            state = _skip(program, track, leaf, state, at, bucket.start)
            state = detector.learn(state, bucket, _surging(program, track, leaf, bucket.start, bucket.end))
            at = bucket.end
        track.states[i] = _skip(program, track, leaf, state, at, until)
        track.learned[i] = until
    oldest = min(track.learned) - program.part.longest()
    if track.surges and 0 < track.surges[0][1] < oldest:
        track.surges = [s for s in track.surges if not 0 < s[1] < oldest]


def _skip(program: Program, track: Track, leaf: Part, state: Any, start: int, end: int) -> Any:
    """Learn the empty buckets of [start, end), all at once where none belongs to a surge."""
    detector, step = detector_of(leaf), step_of(leaf)
    if start >= end:
        return state
    if not _surging(program, track, leaf, start, end):
        return detector.skip(state, start, step, (end - start) // step, False)
    for at in range(start, end, step):
        state = detector.skip(state, at, step, 1, _surging(program, track, leaf, at, at + step))
    return state


def _surging(program: Program, track: Track, leaf: Part, start: int, end: int) -> bool:
    for first, last in track.surges:
        stop = min(last or end, first + program.rule.adapt_seconds)
        if start < stop and end > first - leaf.window_seconds:
            return True
    return False


@dataclass(slots=True)
class _Judging:
    """One look at all parts of a rule."""

    program: Program
    track: Track
    key: SeriesKey
    now: int
    windows: Mapping[int, Observation]
    reader: Reader
    leaf: int = 0

    def judge(self) -> tuple[Verdict, Observation]:
        return self._part(self.program.part)

    def _part(self, part: Part) -> tuple[Verdict, Observation]:
        heard = _heard(part, self.windows)
        if part.detector is not None:
            self.leaf += 1
            return self._leaf(part, heard)
        judged: list[tuple[Verdict, Observation]] = []
        idle = self.track.condition == "inactive"
        for i, one in enumerate(part.parts):
            judged.append(self._part(one))
            if idle and judged[-1][0].breached != (part.kind == ALL):
                self.leaf += sum(len(rest.leaves()) for rest in part.parts[i + 1 :])
                break  # the rest cannot change whether the rule is breached, and nothing is there to be cleared
        verdicts = [verdict for verdict, _ in judged]
        breaches = [pair for pair in judged if pair[0].breached]
        if part.kind == ALL:
            chances = [v.p_value for v in verdicts if v.p_value is not None]
            chance = math.prod(chances) if chances else None
            joined = replace(
                verdicts[0],
                breached=len(breaches) == len(part.parts) and heard and (chance is None or chance <= part.p_value),
                cleared=any(v.cleared for v in verdicts),
                p_value=chance,
                reason=" ".join(v.reason for v in verdicts),
            )
            return joined, judged[0][1]
        verdict, window = min(breaches or judged, key=lambda pair: 1.0 if pair[0].p_value is None else pair[0].p_value)
        cleared = all(v.cleared for v in verdicts)
        return replace(verdict, breached=bool(breaches) and heard, cleared=cleared), window

    def _leaf(self, part: Part, heard: bool) -> tuple[Verdict, Observation]:
        detector, window = detector_of(part), self.windows[part.window_seconds]
        if not heard and not detector.heeds_silence and self.track.condition == "inactive":
            return Verdict(False, True, 0.0, 0.0, 0.0, None, "There are too few stories to judge."), window
        if detector.aligned:
            start = self.now // step_of(part) * step_of(part)
            counts = self.reader.counts(self.key, start, window.end)
            window = Observation(start, window.end - start, counts)
        verdict: Verdict = detector.judge(self.track.states[self.leaf - 1], window)
        if verdict.breached and not heard and not detector.heeds_silence:
            verdict = replace(verdict, breached=False, reason=f"There are too few stories to judge. {verdict.reason}")
        return verdict, window


def _move(
    program: Program, track: Track, key: SeriesKey, now: int, verdict: Verdict, window: Observation, reader: Reader
) -> Step:
    rule, before = program.rule, track.condition
    if before == "firing":
        track.cleared_since = (
            None if not verdict.cleared else now if track.cleared_since is None else track.cleared_since
        )
        if track.cleared_since is not None and now - track.cleared_since >= rule.clear_seconds:
            _enter(track, "inactive", now)
            track.surges[-1][1] = now
            track.quiet_until = now + rule.cooldown_seconds
    elif not verdict.breached or now < track.quiet_until or now - reader.began() < rule.warmup_seconds:
        if before == "pending":
            _enter(track, "inactive", now)
    else:
        few = not _many(rule, key, window, reader)
        if few:
            track.leave_out(now)
        if not few and now - (track.since if before == "pending" else now) >= rule.pending_seconds:
            _enter(track, "firing", now)
            track.surges.append([now, 0])
        elif before == "inactive" and not few:
            _enter(track, "pending", now)
        elif before == "pending" and few:
            _enter(track, "inactive", now)
    after = track.condition
    changed = Transition(rule.id, key, before, after, now, verdict, window) if after != before else None
    return Step(after, verdict, changed)


def _many(rule: Rule, key: SeriesKey, window: Observation, reader: Reader) -> bool:
    """Whether the stories of a window come from enough sources."""
    if rule.minimum_sources <= 1 and rule.most_of_one_source >= 1:
        return True
    told = reader.by_source(key, window.start, window.end)
    loudest = max(told, key=lambda source: told[source], default="")
    if len(told) >= rule.minimum_sources and told.get(loudest, 0) <= 1 + rule.most_of_one_source * sum(told.values()):
        return True
    since = window.end - USUAL
    from_all = reader.counts(SeriesKey("all"), since, window.end).stories
    return 2 * reader.counts(SeriesKey("source", loudest), since, window.end).stories >= from_all


def _enter(track: Track, condition: Condition, now: int) -> None:
    track.condition, track.since, track.cleared_since = condition, now, None


class Engine:
    """Rules over the series of a stream, their tracks in memory."""

    def __init__(self, rules: Iterable[Rule], reader: Reader) -> None:
        """:raises InputError: if a rule does not fit."""
        given = list(rules)
        self.reader = reader
        self.programs = [Program.of(rule, given) for rule in given if rule.enabled]
        self.tracks: dict[tuple[str, SeriesKey], Track] = {}
        self._by_key: dict[SeriesKey, list[Program]] = {}
        self._active: set[tuple[str, SeriesKey]] = set()
        self._by_id = {program.rule.id: program for program in self.programs}

    def restore(self, rule_id: str, key: SeriesKey, track: Track) -> None:
        """Take up a track that was kept."""
        self.tracks[rule_id, key] = track
        if self._by_id[rule_id].idle or track.condition != "inactive":
            self._active.add((rule_id, key))

    def touch(self, key: SeriesKey, now: int, *, negative: bool = True) -> list[Transition]:
        """Judge every rule on a series that just got texts.

        :param negative: whether a negative story is among them. Without one, rules that look at those alone and do not
            pend or fire are not asked.
        """
        programs = self._by_key.get(key)
        if programs is None:
            programs = self._by_key[key] = [p for p in self.programs if p.rule.covers(key)]
        asked = programs if negative else [
            p for p in programs if not p.bad_only or (p.rule.id, key) in self._active
        ]  # fmt: skip
        return [t for program in asked for t in self._look(program, key, now)]

    def look(self, rule_id: str, key: SeriesKey, now: int) -> list[Transition]:
        """Judge one rule on one series."""
        return self._look(self._by_id[rule_id], key, now)

    def tick(self, now: int) -> list[Transition]:
        """Judge what may change without a text: what is pending or firing, and silence."""
        return [t for id, key in sorted(self._active) for t in self._look(self._by_id[id], key, now)]

    def _look(self, program: Program, key: SeriesKey, now: int) -> list[Transition]:
        name = (program.rule.id, key)
        track = self.tracks.get(name)
        if track is None:
            track = self.tracks[name] = program.track(now, self.reader.began())
        step = look(program, track, key, now, self.reader)
        if program.idle or step.condition != "inactive":
            self._active.add(name)
        else:
            self._active.discard(name)
        return [step.transition] if step.transition else []
