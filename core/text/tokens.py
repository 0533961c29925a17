"""Where the words of a text stand, for tagging them: Chinese goes by characters.

Knows characters; keeps the text as it is, so that a tag's place in the text is known. For search use `segment.words`.
"""

from __future__ import annotations

import re

_CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|\d+(?:[.,:]\d+)*|[^\W\d_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)*|_+|\S")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character offsets [start, end) of the words, in order: runs of letters, numbers, single signs, single characters
    of Chinese and Japanese. White space is in none of them, everything else is in exactly one.
    """
    return [match.span() for match in _WORD.finditer(text)]
