"""The rows of the table of figures that are about training and export."""

from __future__ import annotations

from figure_kinds import Row, points, share, tiny, two

LEARNING: tuple[Row, ...] = (
    (
        "fine-tuned classifier, Banking77, a fifth held out",
        "微调分类器，Banking77（留出五分之一）",
        "adversarial",
        ("accuracy", "banking77|none", "clean"),
        (">=", 0.94),
        share,
    ),
    (
        "the same by one command, a tenth held out, int8 as served",
        "同上，一条命令完成（留出十分之一，int8 部署模型）",
        "classifier",
        ("served", "accuracy"),
        (">=", 0.94),
        share,
    ),
    (
        "fine-tuned sentiment, PhraseBank, accuracy",
        "微调情感，PhraseBank 准确率",
        "finetune_sentiment",
        ("ladder", "tweets first", "accuracy"),
        (">=", 0.85),
        share,
    ),
    (
        "fine-tuned sentiment, PhraseBank, macro F1",
        "微调情感，PhraseBank 宏 F1",
        "finetune_sentiment",
        ("ladder", "tweets first", "macro_f1"),
        (">=", 0.83),
        share,
    ),
    *(
        row
        for data, english, chinese in (
            ("banking77", "Banking77", "Banking77"),
            ("tweets", "finance tweets", "金融推文"),
        )
        for row in (
            (
                f"adversarial training, {english}: accuracy gained under the worst of 5 damages, points",
                f"对抗训练（{chinese}）：五次扰动取最差时准确率提升（百分点）",
                "adversarial",
                ("change", f"{data}|edits", "worst"),
                (">=", 0.03),
                points,
            ),
            (
                f"the same, {english}, under one damage, points",
                f"同上（{chinese}），单次扰动（百分点）",
                "adversarial",
                ("change", f"{data}|edits", "damaged"),
                (">=", 0.03),
                points,
            ),
            (
                f"the same, {english}, on clean texts, points",
                f"同上（{chinese}），干净文本（百分点）",
                "adversarial",
                ("change", f"{data}|edits", "clean"),
                (">=", -0.005),
                points,
            ),
        )
    ),
    (
        "trainer over a bare PyTorch loop, extra time",
        "训练器与裸 PyTorch 循环相比的额外耗时",
        "trainer",
        ("overhead",),
        ("<=", 0.10),
        share,
    ),
    (
        "exported classifier, fp32, largest difference of a logit",
        "导出的分类器（fp32）logit 最大差异",
        "export",
        ("heads", "precisions", "fp32", "max_difference"),
        ("<=", 1e-4),
        tiny,
    ),
    (
        "exported classifier, fp16, the same",
        "同上（fp16）",
        "export",
        ("heads", "precisions", "fp16", "max_difference"),
        ("<=", 1e-2),
        tiny,
    ),
    (
        "exported classifier, int8, accuracy lost, points",
        "导出的分类器（int8）准确率损失（百分点）",
        "export",
        ("heads", "precisions", "int8", "points_lost"),
        ("<=", 1),
        two,
    ),
)
