"""Stop strings in a stream.

Knows text that comes in pieces of any length; knows nothing of tokens. A stop string may lie across pieces, so text
that could be its beginning is held back until the next piece decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import InputError


class StopMatcher:
    """Let text through up to the first of several stop strings.

    :param stops: strings that end the text; they are not part of it.
    :raises InputError: if a stop string is empty.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stops))
        if any(not stop for stop in self._stops):
            raise InputError("a stop string is empty; it would end every answer before its first word")
        self._held = ""
        self.stopped = False
        """True once a stop string was met; everything after it is dropped."""

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has come."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        if found:
            shown, self._held, self.stopped = self._held[: min(found)], "", True
            return shown
        keep = max(_overlap(self._held, stop) for stop in self._stops)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def finish(self) -> str:
        """What was held back and turned out to be no stop string, now that nothing more comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`, shorter than `stop` itself."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
