"""What of a conversation and its passages goes into a prompt of bounded length.

Knows texts and how many tokens each takes; knows nothing of templates, retrieval or models. Oldest turns go first,
then the lowest passages: an old remark is worth less than evidence, the best passage is worth most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.types import Message


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits, in the order given, and its length."""

    passages: tuple[str, ...]
    """The best passages, best first."""
    history: tuple[Message, ...]
    """The latest turns, oldest first, beginning with the user's."""
    tokens: int
    """Tokens of system text, passages, history and question with the overhead of each."""
    dropped_passages: int = 0
    dropped_turns: int = 0


def prompt_limit(context_tokens: int, max_tokens: int, first_token_tokens: int | None = None) -> int:
    """Tokens a prompt may have: what the answer leaves of the context, and what may be read before the first token.

    :param context_tokens: prompt and completion together.
    :param max_tokens: completion.
    :param first_token_tokens: prompt tokens the decoder reads within the wanted first-token time; None for no bound.
    :raises InputError: if the completion alone fills the context.
    """
    room = context_tokens - max_tokens
    if room <= 0:
        raise InputError(
            f"max_tokens is {max_tokens} and the context is {context_tokens} tokens: nothing is left for the question; "
            f"ask for fewer than {context_tokens}"
        )
    return room if first_token_tokens is None else min(room, first_token_tokens)


def fit(
    question: str,
    *,
    count: Callable[[str], int],
    limit: int,
    system: str = "",
    passages: Sequence[str] = (),
    history: Sequence[Message] = (),
    minimum_passages: int = 1,
    overhead: int = 8,
) -> Fitted:
    """Drop the oldest history, then the lowest passages, until everything fits.

    :param count: tokens of a plain text, as `Generator.count_tokens`.
    :param limit: tokens for all of it; see `prompt_limit`.
    :param passages: best first.
    :param minimum_passages: so many are kept, or the call fails.
    :param overhead: tokens that the template and the passage's frame put around each part.
    :raises InputError: if the question with system text and the fewest passages is over the limit.
    """
    passage_costs = [count(p) + overhead for p in passages]
    turn_costs = [count(m.content) + overhead for m in history]
    fixed = count(system) + count(question) + 3 * overhead
    kept = len(passages)
    first = 0

    def total() -> int:
        return fixed + sum(passage_costs[:kept]) + sum(turn_costs[first:])

    while first < len(history) and (total() > limit or history[first].role != "user"):
        first += 1
    while kept > minimum_passages and total() > limit:
        kept -= 1
    if total() > limit:
        raise InputError(
            f"the question takes {count(question)} tokens and the prompt {total()} of at most {limit}; "
            "shorten the question or use a model with a longer context"
        )
    return Fitted(
        passages=tuple(passages[:kept]),
        history=tuple(history[first:]),
        tokens=total(),
        dropped_passages=len(passages) - kept,
        dropped_turns=first,
    )
