"""Whether a text speaks of a company or only passes on what it says of others.

Knows the phrases around a name. A bank that cuts its target for a company is not what the text is about: "upgraded to
buy at UBS", "Goldman Sachs raises its Apple target", 高盛：将腾讯目标价上调, 中信证券研报. Its own results are.
"""

from __future__ import annotations

import re

_FAR = 90
_RATING = (
    r"(?:target|ratings?|coverage|pt|neutral|overweight|underweight|outperform|underperform|hold|buy|sell|equal-weight)"
)
_AFTER = re.compile(
    r"(?:'s?)?(?: [a-z.]+){0,3}? (?:analysts?|strategists?|economists?|research)(?![a-z])"
    r"|(?: [a-z]+){0,2}? (?:upgrades?|upgraded|downgrades?|downgraded|initiates?|initiated|reiterates?|reiterated)"
    r"(?! (?:by|at|to|from))(?![a-z])"
    r"|(?: [a-z]+)?? (?:cuts?|raises?|raised|lowers?|lowered|hikes?|lifts?|trims?|boosts?|ups|maintains?|starts?|"
    rf"resumes?|keeps?|assigns?|sets?|adds)(?= )(?! (?:to|at|by|from) )[^.;\n]{{0,60}}?(?<![a-z]){_RATING}(?![a-z])"
    r"|(?:'s?)? (?:conviction|focus|best ideas) list"
)
_BEFORE = re.compile(
    r"(?:(?<![a-z])(?:analysts?|strategists?|economists?|upgraded|downgraded|initiated|reiterated|started|resumed|cut|"
    rf"raised|lowered|hiked|boosted|rated|upgrade|downgrade|{_RATING})(?![a-z])[^.;:\n]{{0,40}}? (?:at|by|from|with|of)"
    r"|according to(?: [a-z]+){0,3}?) $"
)
_ZH_AFTER = re.compile(
    r"(?:证券|集团|银行|国际)?(?:研报|研究报告|(?:首席)?(?:[\u4e00-\u9fff]{0,4})?(?:分析师|经济学家|策略师)|(?:策略|宏观)[:：]|"
    r"[:：]?\s?(?:将|把|维持|给予|首予|重申|上调|下调|予|调[高低降升])[^,。;\n]{0,24}(?:评级|目标价))"
)
_ZH_BEFORE = re.compile(r"(?:获|遭|被|据)$")
_ZH_RATED = re.compile(r"[^,。;\n]{0,10}(?:评级|目标价|研报|看好|唱空|唱多)")


def passes_on(folded: str, start: int, end: int) -> bool:
    """Whether the company at `folded[start:end]` stands there as one that judges others.

    :param folded: the text as `fold` gives it.
    """
    before = folded[max(0, start - _FAR) : start]
    after = folded[end : end + _FAR]
    if _AFTER.match(after) or _BEFORE.search(before):
        return True
    if _ZH_AFTER.match(after):
        return not re.search(r"(?:[上下]调|调[降高]|将|把|对|予|持)$", before)
    return bool(_ZH_BEFORE.search(before) and _ZH_RATED.match(after))
