"""Stop strings in pieces of any length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backends.stopping import StopMatcher
from core.errors import InputError


def _run(pieces: list[str], stops: list[str]) -> tuple[str, bool]:
    matcher = StopMatcher(stops)
    shown = "".join(matcher.feed(piece) for piece in pieces)
    return shown + matcher.finish(), matcher.stopped


def test_what_may_begin_a_stop_string_is_held_back() -> None:
    matcher = StopMatcher(["\nUser:", "END"])
    assert matcher.feed("Yes.\n") == "Yes."
    assert matcher.feed("Us") == ""
    assert matcher.feed("ually E") == "\nUsually "
    assert matcher.feed("ND more") == ""
    assert matcher.stopped
    assert matcher.feed("never") == matcher.finish() == ""


def test_the_earliest_of_several_wins() -> None:
    assert _run(["one two three"], ["three", "two"]) == ("one ", True)


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        StopMatcher(["x", ""])


@given(st.lists(st.text("abc", max_size=4)), st.lists(st.text("abc", min_size=1, max_size=3), max_size=2))
def test_pieces_make_no_difference(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    shown, stopped = _run(pieces, stops)
    assert whole.startswith(shown)
    assert stopped == any(stop in whole for stop in stops)
    if not stopped:
        assert shown == whole
    if len(stops) == 1 and stopped:
        assert shown == whole[: whole.find(stops[0])]
