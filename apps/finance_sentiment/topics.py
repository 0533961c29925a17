"""What a financial text can be about, with the names people read. Knows nothing else."""

from __future__ import annotations

from typing import Literal

Topic = Literal[
    "earnings",
    "deals",
    "legal",
    "credit",
    "management",
    "product",
    "operations",
    "macro",
    "markets",
    "esg",
    "fraud",
    "cyber",
]

NAMES: dict[Topic, tuple[str, str]] = {
    "earnings": ("Earnings", "业绩"),
    "deals": ("Deals", "并购与融资"),
    "legal": ("Regulation and litigation", "监管与诉讼"),
    "credit": ("Credit and default", "信用与违约"),
    "management": ("Management", "管理层"),
    "product": ("Product and safety", "产品与安全"),
    "operations": ("Operations", "经营与供应链"),
    "macro": ("Macro", "宏观"),
    "markets": ("Markets", "市场"),
    "esg": ("ESG", "环境与社会"),
    "fraud": ("Fraud", "欺诈"),
    "cyber": ("Cyber", "网络安全"),
}
"""English and Chinese name of every topic, in the order in which they are shown."""

TOPICS: tuple[Topic, ...] = tuple(NAMES)
"""All topics, in the order of the shipped model's outputs."""
