"""The table of measured figures in the READMEs, read from the committed results. Knows files and wording, no models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figure_kinds import Row, one, share, two, whole
from figure_learning import LEARNING

RESULTS = Path(__file__).resolve().parents[2] / "tests/benchmarks/results"

ROWS: tuple[Row, ...] = (
    (
        "Banking77 accuracy, full",
        "Banking77 准确率（全量）",
        "evaluate",
        ("intents banking77", "accuracy"),
        (">=", 0.93),
        share,
    ),
    (
        "Banking77 accuracy, 10 examples an intent",
        "Banking77 准确率（每类 10 例）",
        "evaluate",
        ("intents banking77 10-shot", "accuracy"),
        (">=", 0.872),
        share,
    ),
    (
        "Banking77 accuracy, 5 examples an intent",
        "Banking77 准确率（每类 5 例）",
        "evaluate",
        ("intents banking77 5-shot", "accuracy"),
        (">=", 0.82),
        share,
    ),
    (
        "CLINC150 in-scope accuracy",
        "CLINC150 范围内准确率",
        "evaluate",
        ("intents clinc150", "in_scope_accuracy"),
        (">=", 0.92),
        share,
    ),
    (
        "CLINC150 out-of-scope recall",
        "CLINC150 范围外召回率",
        "evaluate",
        ("intents clinc150", "oos_recall"),
        (">=", 0.85),
        share,
    ),
    ("CLINC150 AUROC", "CLINC150 AUROC", "evaluate", ("intents clinc150", "auroc"), (">=", 0.975), share),
    ("CLINC150 calibration error", "CLINC150 校准误差", "evaluate", ("intents clinc150", "ece"), ("<=", 0.05), share),
    ("COVID FAQ recall@1", "COVID FAQ recall@1", "evaluate", ("faq covid", "recall@1"), (">=", 0.75), share),
    ("COVID FAQ recall@5", "COVID FAQ recall@5", "evaluate", ("faq covid", "recall@5"), (">=", 0.96), share),
    *(
        row
        for language, english, chinese, r1, r5, auroc in (
            ("en", "English", "英文", 0.873, 0.96, 0.92),
            ("zh", "Chinese", "中文", 0.786, 0.88, 0.85),
        )
        for row in (
            (
                f"company reports, {english}, span recall@1",
                f"公司报告（{chinese}）span recall@1",
                "evaluate",
                (f"rag {language}", "span_recall@1"),
                (">=", r1),
                share,
            ),
            (
                f"company reports, {english}, span recall@5",
                f"公司报告（{chinese}）span recall@5",
                "evaluate",
                (f"rag {language}", "span_recall@5"),
                (">=", r5),
                share,
            ),
            (
                f"near misses, {english}, answerability AUROC",
                f"近似问题（{chinese}）可答性 AUROC",
                "evaluate",
                (f"rag {language}", "answerability_auroc"),
                (">=", auroc),
                share,
            ),
            (
                f"near misses declined, {english}",
                f"近似问题拒答率（{chinese}）",
                "evaluate",
                (f"rag {language}", "refusal_recall"),
                (">=", 0.60),
                share,
            ),
            (
                f"off-topic questions declined, {english}",
                f"无关问题拒答率（{chinese}）",
                "evaluate",
                (f"rag {language}", "off_topic_refusal"),
                (">=", 0.97),
                share,
            ),
            (
                f"answerable questions declined, {english}",
                f"可答问题误拒率（{chinese}）",
                "evaluate",
                (f"rag {language}", "false_refusal"),
                ("<=", 0.05),
                share,
            ),
            (
                f"invalid citations, {english}",
                f"无效引用（{chinese}）",
                "evaluate",
                (f"rag {language}", "invalid_citations"),
                ("<=", 0),
                whole,
            ),
            (
                f"unsupported numbers and names, {english}",
                f"无依据的数字和名称（{chinese}）",
                "evaluate",
                (f"rag {language}", "unsupported_numbers"),
                ("<=", 0),
                whole,
            ),
        )
    ),
    (
        "unanswerable sample questions declined",
        "自有样例中不可答问题拒答率",
        "samples",
        ("all", "caught"),
        (">=", 0.90),
        share,
    ),
    *LEARNING,
    (
        "ingest over the bare int8 encoder's rate",
        "导入速度与裸编码器之比",
        "bot",
        ("ingest_over_bare",),
        (">=", 0.85),
        two,
    ),
    (
        "re-ingest of 698 unchanged documents, s",
        "重新导入 698 篇未变文档（秒）",
        "bot",
        ("reingest_unchanged_seconds",),
        ("<=", 3),
        two,
    ),
    ("first quoted answer, p50 ms", "首个引文答案 p50（毫秒）", "bot", ("quoted_answer_p50_ms",), ("<=", 80), one),
    (
        "first words of a composed answer, p50 ms",
        "生成式回答首字 p50（毫秒）",
        "bot",
        ("first_token_p50_ms",),
        ("<=", 1200),
        whole,
    ),
    (
        "encoder int8 over sentence-transformers, 256 short texts",
        "编码器 int8 与 sentence-transformers 速度之比（256 条短文本）",
        "encoder",
        ("rows", "256 short, batch 32|minilm-int8", "times"),
        (">=", 2.2),
        one,
    ),
    (
        "the same, mixed lengths",
        "同上（长短混合）",
        "encoder",
        ("rows", "256 mixed, batch 32|minilm-int8", "times"),
        (">=", 2.2),
        one,
    ),
    (
        "generation served over the bare runtime",
        "生成：服务与裸运行时速度之比",
        "generation",
        ("served_of_bare",),
        (">=", 0.90),
        two,
    ),
    (
        "generation over transformers fp32",
        "生成：与 transformers fp32 速度之比",
        "generation",
        ("served_over_transformers",),
        (">=", 6),
        one,
    ),
    ("server ready, s", "服务就绪（秒）", "server", ("ready_seconds",), ("<=", 5), one),
    (
        "resident memory, all models used, MB",
        "常驻内存，全部模型（MB）",
        "server",
        ("resident_mb_used",),
        ("<=", 900),
        whole,
    ),
)


def table(chinese: bool) -> str:
    """The Markdown table; a figure that was not measured, or missed its goal, is said to be so."""
    head = ("| 项目 | 实测 | 目标 |", "|---|---|---|") if chinese else ("| what | measured | goal |", "|---|---|---|")
    missed, none = ("未达标", "未测") if chinese else ("missed", "not measured")
    lines = list(head)
    for english, translated, file, keys, goal, shown in ROWS:
        value = _value(file, keys)
        said = none if value is None else shown(value)
        if value is not None and goal and not _met(value, goal):
            said += f" ({missed})"
        sign = {">=": "≥", "<=": "≤"}[goal[0]] + " " + shown(goal[1]) if goal else ""
        lines.append(f"| {translated if chinese else english} | {said} | {sign} |")
    return "\n".join(lines) + "\n"


def _met(value: float, goal: tuple[str, float]) -> bool:
    return value >= goal[1] if goal[0] == ">=" else value <= goal[1]


def _value(file: str, keys: tuple[str, ...]) -> float | None:
    path = RESULTS / f"{file}.json"
    if not path.exists():
        return None
    found: Any = json.loads(path.read_text(encoding="utf-8"))["figures"]
    for key in keys:
        if isinstance(found, list):  # of rows: the one that holds all the words of the key
            found = next((row for row in found if set(key.split("|")) <= set(map(str, row.values()))), None)
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if found is not None else None
