"""What happens in a replay: who is written about how much, which surges and which decoys come when.

Knows shapes in time; knows no texts. A surge is negative stories beyond the usual ones. A decoy is what looks like one
to a rule that is too simple.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from apps.finance_sentiment.gazetteer import Company

HOUR, DAY = 3600, 86_400
Shape = Literal["spike", "sparse", "ramp", "plateau", "busy", "chinese", "topic"]
Tier = Literal["busy", "medium", "sparse"]
Trick = Literal["volume", "syndicated", "shift", "earnings", "noisy", "backfill"]
SURGES: tuple[tuple[Shape, int], ...] = (
    ("spike", 10), ("sparse", 8), ("ramp", 6), ("plateau", 4), ("busy", 4), ("chinese", 5), ("topic", 3),
)  # fmt: skip
"""Shapes of the 40 surges."""
DECOYS: tuple[tuple[Trick, int], ...] = (
    ("volume", 9), ("earnings", 9), ("syndicated", 8), ("shift", 5), ("noisy", 5), ("backfill", 4),
)  # fmt: skip
"""Tricks of the 40 decoys."""


@dataclass(frozen=True, slots=True)
class Member:
    """A company of the replay."""

    company: Company
    language: str
    a_day: float
    """Stories on a working day."""
    negative: float
    """Share of negative ones."""
    tier: Tier


@dataclass(frozen=True, slots=True)
class Happening:
    """A surge or a decoy."""

    kind: Shape | Trick
    member: Member | None
    """None for a surge of a topic."""
    start: int
    end: int
    topic: str = ""

    @property
    def surge(self) -> bool:
        """Whether an alert is right."""
        return self.kind in dict(SURGES)


def members(groups: Sequence[tuple[Sequence[Company], str]], rng: np.random.Generator) -> list[Member]:
    """An eighth busy, three eighths quieter, the rest with a few stories a week."""
    tiers: tuple[tuple[int, Tier, float, float], ...] = (
        (1, "busy", 20, 45), (4, "medium", 3, 8), (9, "sparse", 0.1, 0.7),
    )  # fmt: skip
    found = []
    for group, language in groups:
        for i, company in enumerate(group):
            part = (i * 8 + 4) // max(1, len(group))
            tier, low, high = next((tier, low, high) for below, tier, low, high in tiers if part < below)
            found.append(Member(company, language, float(rng.uniform(low, high)), float(rng.uniform(0.2, 0.35)), tier))
    return found


def plan(people: Sequence[Member], begin: int, days: int, rng: np.random.Generator) -> list[Happening]:
    """Forty surges and forty decoys, from the eighth day on; two that happen to one company lie six days apart."""
    wanted: list[tuple[Shape | Trick, int]] = [*SURGES, *DECOYS]
    every = [kind for kind, count in wanted for _ in range(count)]
    queue = [every[int(i)] for i in rng.permutation(len(every))]
    queue.sort(key=lambda kind: kind not in ("shift", "busy", "chinese"))
    taken: dict[str, list[tuple[int, int]]] = {}
    topics = ["credit", "cyber", "legal"]
    found: list[Happening] = []
    for kind in queue:
        for _ in range(10_000):
            start = begin + int(rng.uniform(7.5, days - 2) * DAY)
            seconds = int(_seconds(kind, rng))
            if kind == "topic":
                if any(h.kind == "topic" and abs(h.start - start) < 6 * DAY for h in found):
                    continue
                found.append(Happening(kind, None, start, start + seconds, topics.pop()))
                break
            member = people[int(rng.integers(len(people)))]
            busy = taken.setdefault(member.company.id, [])
            lasting = days * DAY if kind == "shift" else seconds
            apart = all(start - end >= 6 * DAY or first - start - lasting >= 6 * DAY for first, end in busy)
            if not _fits(kind, member) or not apart:
                continue
            busy.append((start, start + lasting))
            found.append(Happening(kind, member, start, start + seconds))
            break
        else:
            raise RuntimeError(f"No place was found for a {kind}: too few companies or days.")
    return sorted(found, key=lambda h: (h.start, h.kind))


def _fits(kind: Shape | Trick, member: Member) -> bool:
    if kind == "chinese":
        return member.language == "zh" and member.tier != "busy"
    wanted = {
        "busy": ("busy",), "sparse": ("sparse",), "spike": ("medium", "busy"), "ramp": ("medium", "sparse"),
        "plateau": ("medium",), "shift": ("medium",), "earnings": ("medium", "busy"),
    }  # fmt: skip
    return member.tier in wanted.get(kind, ("busy", "medium", "sparse"))


def _seconds(kind: Shape | Trick, rng: np.random.Generator) -> float:
    hours = {
        "spike": (0.5, 1.2), "sparse": (2, 6), "ramp": (14, 22), "plateau": (28, 40), "busy": (2, 4), "chinese": (1, 8),
        "topic": (4, 7), "volume": (2, 5), "syndicated": (4, 8), "shift": (1, 1), "earnings": (9, 12), "noisy": (3, 7),
        "backfill": (0.2, 0.3),
    }  # fmt: skip
    return float(rng.uniform(*hours[kind])) * HOUR


def surge_times(happening: Happening, rng: np.random.Generator) -> list[int]:
    """When the additional negative stories of a surge come."""
    kind, member = happening.kind, happening.member
    usual = member.a_day if member else 0.0
    low, high = {
        "spike": (8 + usual * 0.25, 14 + usual * 0.25), "sparse": (5, 9), "ramp": (14, 24),
        "plateau": (24 + 3 * usual, 25 + 3 * usual), "busy": (22, 34), "chinese": (9, 18), "topic": (40, 60),
    }[kind]  # fmt: skip
    places: list[float] = [0.0, *rng.uniform(0, 1, int(rng.uniform(low, high)) - 1).tolist()]
    power = {"ramp": 0.5, "spike": 1.5, "chinese": 1.5, "sparse": 1.5}.get(kind, 1.0)
    """Below 1 the rate grows with time, above 1 it falls."""
    return sorted(happening.start + int(x**power * (happening.end - happening.start)) for x in places)


def usual_times(
    member: Member, begin: int, days: int, busier: Sequence[tuple[int, int, float]], rng: np.random.Generator
) -> list[int]:
    """When a company's usual stories come: by day and night, on working days more than at weekends.

    :param busier: stretches (start, end, factor).
    """
    found: list[int] = []
    for hour in range(days * 24):
        at = begin + hour * HOUR
        rate = member.a_day / 24 * rhythm(at, member.language)
        for start, end, factor in busier:
            if start <= at < end:
                rate *= factor
        found += [at + int(x) for x in rng.uniform(0, HOUR, rng.poisson(rate))]
    return found


def rhythm(at: int, language: str) -> float:
    """How busy an hour is against the mean of a working day."""
    hour = at // HOUR % 24
    first, last = (0, 11) if language == "zh" else (8, 22)
    weekend = (at // DAY + 3) % 7 >= 5
    return (1.5 if first <= hour < last else 0.35) * (0.3 if weekend else 1.0)
