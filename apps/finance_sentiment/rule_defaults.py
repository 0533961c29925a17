"""The rules a desk starts with. Each can be changed, switched off or copied.

A surge of negative news is two things at once: more negative stories than chance and habit explain, and a greater
share of them among all. Volume alone is an earnings day; share alone is three sad stories on a quiet night. Each rule
looks at an hour, six hours and a day, so that a burst is seen at once and a slow rise at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.finance_sentiment.rules import ALL, ANY, DAY, Rule

HOUR = 3600


def surge(
    seconds: int, least: int, count: Mapping[str, Any], share: Mapping[str, Any], together: float = 1.0
) -> dict[str, Any]:
    """A part of a rule: too many negative stories, and too great a share of them, in one window.

    :param least: negative stories without which there is no surge.
    :param count: parameters of `count_tail`; `share`: of `share_shift`.
    :param together: limit of the product of both chances.
    """
    counted = {
        "kind": "count_tail",
        "measure": "negative",
        "window_seconds": seconds,
        "minimum_evidence": least,
        "parameters": dict(count),
    }
    shared = {
        "kind": "share_shift",
        "measure": "share_negative",
        "window_seconds": seconds,
        "minimum_evidence": least,
        "parameters": dict(share),
    }
    return {
        "kind": ALL,
        "minimum_evidence": least,
        "window_seconds": seconds,
        "parameters": {"parts": [counted, shared], "p_value": together},
    }


def default_rules() -> list[Rule]:
    """Surges by company, by topic and overall; sources that fell silent.

    On a company with a story a week neither number nor share can be beyond doubt after four stories, so each has a mild
    limit of its own there, and both together a strict one.
    """
    company = {"p_value": 2e-4, "times": 4.0, "prior_per_day": 0.3, "looks": 3.0}
    company_share = {"p_value": 0.05, "least_rise": 0.35, "prior_share": 0.25, "enough": 0.8}
    together = 3e-7
    topic = {"p_value": 1e-7, "times": 2.0, "prior_per_day": 3.0}
    topic_share = {"p_value": 0.001, "least_rise": 0.15, "prior_share": 0.3}
    overall = {"p_value": 1e-12, "times": 2.5, "prior_per_day": 3.0}
    overall_share = {"p_value": 0.001, "least_rise": 0.2, "prior_share": 0.3}
    return [
        Rule(
            "company-negative-surge",
            "Negative news on a company surges",
            "entity",
            ANY,
            parameters={
                "parts": [
                    surge(HOUR, 4, company, company_share, together),
                    surge(6 * HOUR, 4, company, company_share, together),
                    surge(DAY, 4, company, company_share, together),
                ]
            },
            window_seconds=HOUR,
            most_of_one_source=0.5,
            clear_seconds=HOUR,
            cooldown_seconds=12 * HOUR,
            warmup_seconds=3 * DAY,
            group_by=("rule",),
            severity="critical",
        ),
        Rule(
            "topic-negative-surge",
            "Negative news on a topic surges",
            "topic",
            ANY,
            parameters={
                "parts": [
                    surge(HOUR, 8, topic, topic_share),
                    surge(6 * HOUR, 10, topic, topic_share),
                    surge(DAY, 12, topic, topic_share),
                ]
            },
            window_seconds=HOUR,
            most_of_one_source=0.5,
            clear_seconds=HOUR,
            cooldown_seconds=12 * HOUR,
            warmup_seconds=3 * DAY,
            group_by=("rule",),
        ),
        Rule(
            "overall-negative-surge",
            "Negative news surges overall",
            "all",
            ANY,
            parameters={
                "parts": [surge(HOUR, 15, overall, overall_share), surge(6 * HOUR, 25, overall, overall_share)],
            },
            window_seconds=HOUR,
            most_of_one_source=0.5,
            clear_seconds=HOUR,
            cooldown_seconds=12 * HOUR,
            warmup_seconds=3 * DAY,
            group_by=("rule",),
        ),
        Rule(
            "source-silent",
            "A source fell silent",
            "source",
            "no_data",
            measure="volume",
            parameters={"p_value": 1e-6},
            window_seconds=2 * HOUR,
            clear_seconds=0,
            cooldown_seconds=0,
            warmup_seconds=3 * DAY,
            group_by=("rule",),
            severity="info",
        ),
    ]
