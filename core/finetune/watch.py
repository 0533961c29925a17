"""Somebody may look on while a training runs: the dry run that measures, the search that prunes.

Tasks need not know: the trainer tells whoever watches in this thread. What a watcher raises ends the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Watcher:
    """Looks on; this one does nothing."""

    def began(self, model: Any, lengths: Sequence[int], total: int) -> None:
        """Before the first update.

        :param model: the `torch.nn.Module` with adapters on and frozen parts frozen.
        :param lengths: tokens of every training row.
        :param total: updates to come.
        """

    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """After an evaluation; "score" among the figures is the one to make greatest."""


_NOBODY = Watcher()
_PRESENT: ContextVar[Watcher] = ContextVar("watcher", default=_NOBODY)


def present() -> Watcher:
    """Who watches this thread."""
    return _PRESENT.get()


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let somebody watch what is trained inside the `with`."""
    token = _PRESENT.set(watcher)
    try:
        yield
    finally:
        _PRESENT.reset(token)
