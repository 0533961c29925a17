"""What accuracy does not see in recommended lists: how much of the catalogue they show, and how unexpected it is.

Knows lists of ids and how often each was chosen before; nothing of what is relevant.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluate.ranking import Ranked


def coverage_at_k(ranked: Ranked, catalogue: Collection[Hashable], k: int) -> float:
    """Share of the catalogue that stands among the first k of at least one list.

    :param ranked: a list of ids for each user, best first.
    :param catalogue: every id that could be shown; others do not count.
    :param k: cut-off, at least 1.
    :returns: in [0, 1].
    :raises InputError: if there is no list, the catalogue is empty or k < 1.

    Catalog coverage: Ge, Delgado-Battenfeld and Jannach 2010, "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity".
    """
    _check(ranked, k)
    known = set(catalogue)
    if not known:
        raise InputError("the catalogue is empty")
    shown = {i for ids in ranked for i in ids[:k]}
    return len(shown & known) / len(known)


def novelty_at_k(ranked: Ranked, popularity: Mapping[Hashable, float], users: int, k: int) -> float:
    """Mean self-information of what the lists show: log2(users / users who chose it), in bits.

    An item that everybody chose carries 0 bits. One that nobody chose is counted as chosen once.

    :param ranked: a list of ids for each user, best first; an empty list is left out.
    :param popularity: number of users who chose each id before; missing ids count as chosen once.
    :param users: number of users the popularity was counted on, at least 1.
    :param k: cut-off, at least 1.
    :returns: in [0, log2(users)].
    :raises InputError: if there is no list with an id, k < 1, or an id was chosen by more users than there are.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems", eq. for the mean
    self-information I(L).
    """
    return float(np.mean(novelty_values(ranked, popularity, users, k)))


def novelty_values(ranked: Ranked, popularity: Mapping[Hashable, float], users: int, k: int) -> npt.NDArray[np.float64]:
    """`novelty_at_k` of every list that is not empty, (m,) float64, for intervals."""
    _check(ranked, k)
    if users < 1:
        raise InputError(f"users must be at least 1, got {users}")
    crowded = next((i for i, count in popularity.items() if count > users), None)
    if crowded is not None:
        raise InputError(f"{crowded!r} was chosen by {popularity[crowded]:g} users, but there are {users}")
    filled = [ids[:k] for ids in ranked if ids]
    if not filled:
        raise InputError("nothing to evaluate: every list is empty")
    return np.array(
        [np.mean([np.log2(users / max(popularity.get(i, 1), 1)) for i in ids]) for ids in filled], dtype=np.float64
    )


def _check(ranked: Sequence[object], k: int) -> None:
    if not ranked:
        raise InputError("nothing to evaluate: 0 lists")
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
