"""An alert in two sentences, English and Chinese, out of its frozen evidence.

The first sentence gives the numbers, the second the story that weighs most, in its own words. A generator may write the
second one: only a sentence that `core.generate.grounding` proves against the stories is taken, else the headline
stands. Knows evidence and plain values; knows no SQL.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.finance_sentiment.topics import NAMES
from core.backends.base import Generator, Sampling
from core.errors import SuiteError
from core.generate.evidence import Passage
from core.generate.grounding import Encode, prove
from core.generate.postprocess import mend
from core.generate.templates import grounded_within
from core.text import sentences

_LONGEST_TITLE = 160
_MONTHS = (
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_TOKENS = 60
_PROMPT_TOKENS = 330
_QUESTION = {"en": "What is the bad news, in one sentence?", "zh": "用一句话说明负面消息。"}
_MEASURES = {
    "negative": ("negative stories", "负面报道数"),
    "volume": ("stories", "报道数"),
    "share_negative": ("share of negative stories", "负面占比"),
    "mean_score": ("mean sentiment", "平均情绪分"),
}

_log = logging.getLogger(__name__)


def summarise(evidence: Mapping[str, Any]) -> tuple[str, str]:
    """The deterministic summary: (English, Chinese)."""
    return (
        f"{_numbers_en(evidence)} {_headline_en(evidence)}".strip(),
        f"{_numbers_zh(evidence)}{_headline_zh(evidence)}",
    )


def told(evidence: Mapping[str, Any], generator: Generator, encode: Encode, language: str = "en") -> str | None:
    """The summary with its second sentence by the generator; None where that wrote nothing that is proved.

    Takes as long as the generator: call it after the alert is stored, never before.

    :param encode: texts to (n, d) float32, rows L2-normalised; of the encoder of this language.
    :param language: en or zh; only stories in it are read.
    """
    passages = [
        Passage(s["text_id"], s["story"], "", _passage(s), 0, 0.0, 0.0, 0.0, s["influence"], language)
        for s in evidence["stories"]
        if s["language"] == language
    ][:3]
    if not passages:
        return None
    try:
        messages, fitted = grounded_within(
            _QUESTION[language],
            [p.text for p in passages],
            count=generator.count_tokens,
            limit=min(_PROMPT_TOKENS, generator.context_tokens - _TOKENS),
            language=language,
        )
        text = "".join(piece.text for piece in generator.stream(messages, Sampling(max_tokens=_TOKENS)))
    except SuiteError as error:
        _log.debug("nothing is written: %s", error)
        return None
    for start, end in sentences(text, language):
        sentence = mend(text[start:end]).text.strip()
        if not sentence.endswith((".", "!", "?", "。", "！", "？")):
            continue
        proof = prove(sentence, passages[: len(fitted.passages)], encode)
        if proof.passage is not None:
            first = _numbers_en(evidence) + " " if language == "en" else _numbers_zh(evidence)
            return first + sentence
    return None


def name_of(dimension: str, value: str, name: str) -> tuple[str, str]:
    """A series for people: (English, Chinese)."""
    if dimension == "all":
        return "all texts", "全部文本"
    if dimension == "topic":
        return next(((en, zh) for topic, (en, zh) in NAMES.items() if topic == value), (value, value))
    return name or value, name or value


def _numbers_en(e: Mapping[str, Any]) -> str:
    name = name_of(e["dimension"], e["value"], e["name"])[0]
    totals, measured = e["totals"], e["measured"]
    between = _span_en(e["window"]["start"], e["window"]["end"])
    if not totals["stories"]:
        last = f"; the last one came at {_time_en(e['last_text_at'])}" if e["last_text_at"] else ""
        return f"There was no text about {name} {between}{last}."
    what = _MEASURES.get(e["chart"]["measure"], ("", ""))[0]
    usual = f"{what}: {_number(measured['value'])} against {_number(measured['expected'])} usual"
    return (
        f"{totals['negative']} of {totals['stories']} stories about {name} {between} were negative "
        f"({usual}, limit {_number(measured['limit'])})."
    )


def _numbers_zh(e: Mapping[str, Any]) -> str:
    name = name_of(e["dimension"], e["value"], e["name"])[1]
    totals, measured = e["totals"], e["measured"]
    start, end = (_time_zh(e["window"][side]) for side in ("start", "end"))
    if not totals["stories"]:
        last = f"，最后一条在{_time_zh(e['last_text_at'])}" if e["last_text_at"] else ""
        return f"{start}至{end}（UTC）没有关于{name}的文本{last}。"
    what = _MEASURES.get(e["chart"]["measure"], ("", ""))[1]
    return (
        f"{start}至{end}（UTC），关于{name}的{totals['stories']}条报道中有{totals['negative']}条为负面"
        f"（{what}{_number(measured['value'])}，通常{_number(measured['expected'])}，阈值{_number(measured['limit'])}）。"
    )


def _headline_en(e: Mapping[str, Any]) -> str:
    stories = _leading(e["stories"])
    if not stories:
        return ""
    quoted = [f"“{_title(s)}” ({s['source']}{_copies_en(s)})" for s in stories]
    return f"The story that weighs most is {quoted[0]}{', then ' + quoted[1] if len(quoted) > 1 else ''}."


def _headline_zh(e: Mapping[str, Any]) -> str:
    stories = _leading(e["stories"])
    if not stories:
        return ""
    quoted = [f"“{_title(s)}”（{s['source']}{_copies_zh(s)}）" for s in stories]
    return f"影响最大的是{quoted[0]}{'，其次是' + quoted[1] if len(quoted) > 1 else ''}。"


def _leading(stories: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [s for s in stories if s["influence"] > 0][:2]


def _title(story: Mapping[str, Any]) -> str:
    text = " ".join((story["title"] or story["excerpt"]).split()).rstrip(".。")
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1].rstrip() + "…"


def _copies_en(story: Mapping[str, Any]) -> str:
    return f", told {story['copies']} times" if story["copies"] > 1 else ""


def _copies_zh(story: Mapping[str, Any]) -> str:
    return f"，共{story['copies']}条" if story["copies"] > 1 else ""


def _passage(story: Mapping[str, Any]) -> str:
    return "\n".join(part for part in (story["title"], story["excerpt"]) if part)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _span_en(start: str, end: str) -> str:
    a, b = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if a.date() == b.date():
        return f"between {a:%H:%M} and {b:%H:%M} UTC on {a.day} {_MONTHS[a.month]} {a.year}"
    return f"between {_time_en(start)} and {_time_en(end)}"


def _time_en(text: str) -> str:
    at = datetime.fromisoformat(text)
    return f"{at:%H:%M} UTC on {at.day} {_MONTHS[at.month]} {at.year}"


def _time_zh(text: str) -> str:
    at = datetime.fromisoformat(text)
    return f"{at.year}年{at.month}月{at.day}日{at:%H:%M}"
