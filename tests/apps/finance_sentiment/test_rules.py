from __future__ import annotations

import json
from typing import Any

import pytest

from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules import Rule, read
from apps.finance_sentiment.schemas import SeriesKey
from core.errors import InputError
from tests.apps.finance_sentiment._rules import absolute

PART = {"kind": "absolute", "parameters": {"limit": 2}}
BODY: dict[str, Any] = {"id": "x", "name": "X", "kind": "count_tail", "series": {"dimension": "entity", "value": "*"}}


def test_the_default_rules_survive_json_and_can_be_read() -> None:
    for rule in default_rules():
        again = Rule.from_json(json.loads(json.dumps(rule.to_json())))
        assert again == rule
        assert read(again).leaves()


def test_a_star_covers_every_series_of_its_dimension_and_a_name_one() -> None:
    each, one = Rule.from_json(BODY), Rule.from_json({**BODY, "series": {"dimension": "topic", "value": "legal"}})
    assert each.covers(SeriesKey("entity", "US:ACME")) and not each.covers(SeriesKey("topic", "legal"))
    assert one.covers(SeriesKey("topic", "legal")) and not one.covers(SeriesKey("topic", "credit"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "Big Rule"}, "an id has 1 to 64"),
        ({"name": " "}, "has no name"),
        ({"kind": "magic"}, "kind is 'magic'; it is one of absolute"),
        ({"severity": "bad"}, "severity is 'bad'"),
        ({"series": {"dimension": "planet"}}, "dimension is 'planet'"),
        ({"series": "all"}, "series is 'all'"),
        ({"series": {"dimension": "all", "value": "x"}}, "Leave value out"),
        ({"series": {"dimension": "topic", "value": ""}}, "value is empty"),
        ({"pending_seconds": -1}, "pending_seconds is -1"),
        ({"clear_ratio": 1.5}, "clear_ratio is 1.5"),
        ({"enabled": 1}, "enabled is 1"),
        ({"group_by": ["planet"]}, "group_by is 'planet'"),
        ({"channels": "mail"}, "a list of texts"),
        ({"parameters": [1]}, "it is an object"),
        ({"colour": "red"}, "has no field 'colour'"),
    ],
)
def test_a_rule_that_does_not_fit_names_the_value(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Rule.from_json({**BODY, **change})


def test_a_rule_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match="needs the field 'series'"):
        Rule.from_json({"id": "x", "name": "X", "kind": "absolute"})


@pytest.mark.parametrize(
    ("kind", "parameters", "told"),
    [
        ("all", {"parts": [PART]}, "a list of two parts or more"),
        ("any", {"parts": [PART, PART], "p_value": 0.1}, "the parameter parts"),
        ("all", {"parts": [PART, PART], "p_value": 0}, "p_value is 0; it is above 0"),
        ("all", {"parts": [PART, {"kind": "absolute", "colour": 1}]}, "unknown field 'colour'"),
        ("all", {"parts": [PART, {**PART, "measure": "anger"}]}, "measure is 'anger'"),
        ("all", {"parts": [PART, {"rule": "y"}]}, "refers to rule 'y', which is not there"),
        ("all", {"parts": [PART, {"rule": "x"}]}, "in a circle: x -> x"),
        ("all", {"parts": [PART, {**PART, "window_seconds": 90}]}, "whole number of minutes"),
    ],
)
def test_parts_that_do_not_fit_are_told_of(kind: str, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(Rule.from_json({**BODY, "kind": kind, "parameters": parameters}))


def test_a_part_may_refer_to_another_rule_of_its_dimension() -> None:
    other = absolute(5, id="other", window_seconds=600)
    rule = Rule.from_json({**BODY, "kind": "all", "parameters": {"parts": [PART, {"rule": "other"}]}})
    assert read(rule, [rule, other]).parts[1].window_seconds == 600
    topics = absolute(5, id="other", series={"dimension": "topic"})
    with pytest.raises(InputError, match="on the same dimension only"):
        read(rule, [rule, topics])
