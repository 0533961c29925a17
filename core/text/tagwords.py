"""Words for tagging: cut as a text would be, and put together to runs that fit a model.

Knows words and tags; nothing of models or tokenizers. Training and serving must cut alike, so both ask here.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.text.tokens import word_spans


def split_words(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """Words as `word_spans` cuts a text, Chinese into characters, and the place of each one's first part.

    A word without a visible character stays whole.

    >>> split_words(["北京", "Bell's", "U.S."])
    (['北', '京', "Bell's", 'U', '.', 'S', '.'], [0, 2, 3])
    """
    parts: list[str] = []
    firsts: list[int] = []
    for word in words:
        firsts.append(len(parts))
        parts += [word[start:end] for start, end in word_spans(word)] or [word]
    return parts, firsts


def split_tags(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    """The tags of `split_words`: "B-x" goes on as "I-x", every other tag is repeated."""
    found: list[str] = []
    for word, tag in zip(words, tags, strict=True):
        more = max(1, len(word_spans(word))) - 1
        found += [tag, *([f"I-{tag[2:]}" if tag.startswith("B-") else tag] * more)]
    return found


def windows(sizes: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Runs of words [start, end) whose tokens fit; a word longer than `room` stands alone, to be cut.

    :param sizes: tokens of each word.
    :param room: tokens of a run, special ones not counted.
    """
    found: list[tuple[int, int]] = []
    start = total = 0
    for i, size in enumerate(sizes):
        if i > start and total + size > room:
            found.append((start, i))
            start, total = i, 0
        total += size
    return [*found, (start, len(sizes))] if sizes else []
