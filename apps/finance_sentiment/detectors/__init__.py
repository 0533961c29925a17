"""The detectors, by the kind a rule names them with.

| kind         | breached where                                                        | looks at |
|--------------|-----------------------------------------------------------------------|----------|
| absolute     | a number that people chose is reached                                 | any      |
| ratio        | a multiple of the mean of the windows before is reached               | counts, share |
| share_shift  | chance and the usual share do not explain the negative stories        | share    |
| seasonal     | the window is many spreads from what is usual at this hour            | any      |
| count_tail   | so many stories are too unlikely; for sparse series                   | counts   |
| change_point | evidence for a higher rate has added up over many windows             | counts   |
| no_data      | the silence is too long for the source                                | texts    |

Rules combine them with `all` and `any` (see `rules`).
"""

from __future__ import annotations

from typing import Any

from apps.finance_sentiment.detectors.base import MEASURES, Detector, Measure, evidence, measured
from apps.finance_sentiment.detectors.change import ChangePoint
from apps.finance_sentiment.detectors.counts import CountTail
from apps.finance_sentiment.detectors.fixed import Absolute, Ratio
from apps.finance_sentiment.detectors.seasonal import Seasonal
from apps.finance_sentiment.detectors.share import ShareShift
from apps.finance_sentiment.detectors.silence import NoData

KINDS: dict[str, type[Detector[Any]]] = {
    detector.kind: detector for detector in (Absolute, Ratio, ShareShift, Seasonal, CountTail, ChangePoint, NoData)
}
"""Class of every kind of detector."""

__all__ = [
    "KINDS", "MEASURES", "Absolute", "ChangePoint", "CountTail", "Detector", "Measure", "NoData", "Ratio", "Seasonal",
    "ShareShift", "evidence", "measured",
]  # fmt: skip
