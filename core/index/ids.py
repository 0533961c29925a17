"""Row ids: checked, and found in an ascending array.

Knows integers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from core.errors import InputError
from core.types import IntArray

EMPTY_IDS: IntArray = np.empty(0, np.int64)


def check_ids(ids: Sequence[int] | IntArray, count: int) -> IntArray:
    """(n,) int64.

    :raises InputError: if there are not `count` of them, one repeats or one is negative.
    """
    new = np.asarray(ids, dtype=np.int64).reshape(-1)
    if len(new) != count:
        raise InputError(f"{len(new)} ids were given for {count} rows.")
    if len(new) and (int(new.min()) < 0 or len(np.unique(new)) < len(new)):
        raise InputError("Ids of an index must be different from each other and not negative.")
    return new


def find(ascending: IntArray, wanted: IntArray) -> tuple[IntArray, np.ndarray]:
    """Place of each wanted id in an ascending array, and whether it is there; the place is valid either way."""
    if not len(ascending):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return cast(IntArray, place), ascending[place] == wanted
