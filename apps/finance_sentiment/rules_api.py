"""Alert rules over HTTP. Knows the service; a rule goes in and comes out as the JSON of `rules`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel, SecretStr

from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.service import Service
from core.errors import InputError, NotFound
from core.web.auth import key_check

PREFIX = "/finance/rules"
EXAMPLE = {
    "name": "Bad news on Tesla",
    "kind": "absolute",
    "series": {"dimension": "entity", "value": "US:TSLA"},
    "measure": "negative",
    "window_seconds": 3600,
    "parameters": {"limit": 5},
    "severity": "critical",
}
RuleId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
RuleBody = Annotated[dict[str, Any], Body(openapi_examples={"absolute": {"value": EXAMPLE}}, max_length=40)]


class RuleOut(BaseModel):
    """A rule, and whether it came with the suite."""

    shipped: bool
    rule: dict[str, Any]


class RuleList(BaseModel):
    """Rules in the order in which they are judged."""

    items: list[RuleOut]


def rules_router(service: Callable[[], Service], admin_key: SecretStr | None) -> APIRouter:
    """Routes of the rules. Changing asks for the admin key where one is set."""
    router = APIRouter(prefix=PREFIX, tags=["finance rules"])
    keeper = [Depends(key_check(admin_key))]

    @router.get("", summary="List rules")
    def list_rules() -> RuleList:
        return RuleList(items=[_told(rule) for rule in service().rules()])

    @router.get("/{rule_id}", summary="One rule")
    def get_rule(rule_id: RuleId) -> RuleOut:
        return _told(find(service().rules(), rule_id))

    @router.put("/{rule_id}", summary="Add or change a rule", dependencies=keeper)
    def put_rule(rule_id: RuleId, body: RuleBody) -> RuleOut:
        return _told(service().put_rule(Rule.from_json({**body, "id": rule_id})))

    @router.post("/{rule_id}/reset", summary="Make a shipped rule as it was shipped", dependencies=keeper)
    def reset_rule(rule_id: RuleId) -> RuleOut:
        return _told(service().put_rule(find(default_rules(), rule_id)))

    @router.delete("/{rule_id}", summary="Delete a rule of your own", status_code=204, dependencies=keeper)
    def delete_rule(rule_id: RuleId) -> None:
        check_own(rule_id)
        service().delete_rule(rule_id)

    return router


def find(rules: list[Rule], id: str) -> Rule:
    """The rule of this id.

    :raises NotFound: if there is none.
    """
    for rule in rules:
        if rule.id == id:
            return rule
    raise NotFound(f"There is no rule {id!r} here; there are {', '.join(rule.id for rule in rules)}.")


def check_own(id: str) -> None:
    """:raises InputError: if the rule came with the suite: it would be there again after the next start."""
    if id in {rule.id for rule in default_rules()}:
        raise InputError(f"Rule {id!r} came with the suite and cannot be deleted. Switch it off instead.")


def _told(rule: Rule) -> RuleOut:
    return RuleOut(shipped=rule.id in {each.id for each in default_rules()}, rule=rule.to_json())
