"""Typing errors and lost or turned words, drawn under a seed: to measure how far a model's figures fall.

Knows characters and words of English and Chinese; knows no model. Character noise follows Pruthi et al. 2019,
"Combating Adversarial Misspellings with Robust Word Recognition": one edit inside a word of four letters or more, first
and last letter kept, for that is what people read over. A Chinese character is a word of its own there: it can be lost,
doubled or change places with the next. Look-alike characters, homophones and synonyms need tables and are not made.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from core.errors import InputError

Kind = Literal["swap", "drop", "insert", "keyboard", "repeat", "characters", "word-drop", "word-swap", "words"]
"""swap: two neighbouring characters; drop: one is lost; insert: a letter too many; keyboard: the key beside; repeat:
one twice; characters: any of these. word-drop: a word is lost; word-swap: it changes places with the next; words:
either of the two."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_EDITS = ("swap", "drop", "insert", "keyboard", "repeat")
_HAN_EDITS = ("swap", "drop", "repeat")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SHORTEST = 4
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IS_HAN = re.compile(rf"[{_HAN}]")
_PIECE = re.compile(rf"[{_HAN}]+|[^\s{_HAN}]+|\s+")
_LETTER_RUN = re.compile(rf"[^\W\d_{_HAN}]+")


def _keyboard() -> dict[str, str]:
    near: dict[str, str] = {}
    for r, row in enumerate(_ROWS):
        for c, key in enumerate(row):
            beside = row[max(0, c - 1) : c] + row[c + 1 : c + 2]
            above = _ROWS[r - 1][c : c + 2] if r else ""
            below = _ROWS[r + 1][max(0, c - 1) : c + 1] if r < 2 else ""
            near[key] = beside + above + below
    return near


_NEIGHBOURS = _keyboard()
"""Keys that touch a key on a QWERTY keyboard."""


def perturb(text: str, kind: Kind, rate: float, rng: random.Random, *, keep_numbers: bool = True) -> str:
    """The text with errors in it.

    :param rate: chance in [0, 1] that a word (character noise in Chinese: a character) is hit. Words that cannot take
        the edit (shorter than four letters; insert and keyboard in Chinese) stay, so fewer are hit than the rate says.
    :param keep_numbers: leave every run of characters with a digit in it as it is.
    :returns: never empty where the text was not; the same generator state gives the same text.
    :raises InputError: if kind or rate is out of range.
    """
    if kind not in KINDS:
        raise InputError(f"kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"rate is {rate}; it must lie in [0, 1]")
    noisy = _words if kind in ("word-drop", "word-swap", "words") else _characters
    changed = noisy(text, kind, rate, rng, keep_numbers)
    return changed if changed.strip() else text


def perturb_all(
    texts: Sequence[str], kind: Kind, rate: float, *, seed: int = 0, keep_numbers: bool = True
) -> list[str]:
    """`perturb` for every text, each drawn from the seed and its own characters: order and neighbours do not matter."""
    return [perturb(text, kind, rate, _source(text, kind, seed), keep_numbers=keep_numbers) for text in texts]


def _source(text: str, kind: str, seed: int) -> random.Random:
    digest = hashlib.sha256(f"{seed}\n{kind}\n{text}".encode("utf-8", "replace")).digest()
    return random.Random(int.from_bytes(digest[:8], "little"))


def _pick(rng: random.Random, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _characters(text: str, kind: str, rate: float, rng: random.Random, keep_numbers: bool) -> str:
    found: list[str] = []
    for piece in _PIECE.findall(text):
        if piece.isspace() or (keep_numbers and any(c.isdigit() for c in piece)):
            found.append(piece)
        elif _IS_HAN.match(piece):
            found.append(_han(piece, kind, rate, rng))
        else:
            found.append(_LETTER_RUN.sub(lambda match: _word(match[0], kind, rate, rng), piece))
    return "".join(found)


def _word(word: str, kind: str, rate: float, rng: random.Random) -> str:
    if len(word) < _SHORTEST or rng.random() >= rate:
        return word
    edit = _pick(rng, _EDITS) if kind == "characters" else kind
    if edit == "swap":
        places = [i for i in range(1, len(word) - 2) if word[i] != word[i + 1]]
        if not places:
            return word
        i = places[int(rng.random() * len(places))]
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    i = 1 + int(rng.random() * (len(word) - 2))
    new = {"drop": "", "repeat": word[i] * 2}.get(edit)
    if new is None:
        new = _letter(word[i], rng) if edit == "keyboard" else word[i] + _pick(rng, _LETTERS)
    return word[:i] + new + word[i + 1 :]


def _letter(letter: str, rng: random.Random) -> str:
    """A key beside; letters that are on no key stay."""
    near = _NEIGHBOURS.get(letter.lower())
    if near is None:
        return letter
    hit = _pick(rng, near)
    return hit.upper() if letter.isupper() else hit


def _han(run: str, kind: str, rate: float, rng: random.Random) -> str:
    if kind not in (*_HAN_EDITS, "characters"):
        return run
    found: list[str] = []
    i = 0
    while i < len(run):
        if rng.random() >= rate:
            found.append(run[i])
        else:
            edit = _pick(rng, _HAN_EDITS) if kind == "characters" else kind
            if edit == "swap" and i + 1 < len(run):
                found.append(run[i + 1] + run[i])
                i += 1
            elif edit == "repeat":
                found.append(run[i] * 2)
            elif edit != "drop":
                found.append(run[i])  # the last of a run has no next to change places with
        i += 1
    return "".join(found)


def _words(text: str, kind: str, rate: float, rng: random.Random, keep_numbers: bool) -> str:
    pieces = _pieces(text)
    places = [i for i, piece in enumerate(pieces) if any(c.isalnum() for c in piece)]
    if keep_numbers:
        places = [i for i in places if not any(c.isdigit() for c in pieces[i])]
    dropped: set[int] = set()
    at = 0
    while at < len(places):
        i = places[at]
        if rng.random() < rate:
            edit = _pick(rng, ("word-drop", "word-swap")) if kind == "words" else kind
            after = places[at + 1] if at + 1 < len(places) else None
            if edit == "word-swap" and after is not None and not _parted(pieces[i + 1 : after]):
                pieces[i], pieces[after] = pieces[after], pieces[i]
                at += 1
            elif edit == "word-drop" and len(dropped) + 1 < len(places):
                dropped.add(i)
        at += 1
    return _joined(pieces, dropped)


def _parted(between: Sequence[str]) -> bool:
    """Whether anything but white space stands between two words."""
    return any(not piece.isspace() for piece in between)


def _joined(pieces: Sequence[str], dropped: set[int]) -> str:
    """Pieces without the dropped ones and the white space before them."""
    found: list[str] = []
    for i, piece in enumerate(pieces):
        if i not in dropped:
            found.append(piece)
        elif found and found[-1].isspace():
            found.pop()
    text = "".join(found)
    return text.lstrip() if dropped and min(dropped) == 0 else text


def _pieces(text: str) -> list[str]:
    """Words, signs and white space in order; put together they are the text. Chinese words by the cutter."""
    cut = _cutter() if _IS_HAN.search(text) else None
    found: list[str] = []
    for piece in _PIECE.findall(text):
        if cut is not None and _IS_HAN.match(piece):
            found.extend(cut(piece))
        else:
            found.extend(part for part in re.split(r"(^\W+|\W+$)", piece) if part)
    return found


def _cutter() -> Callable[[str], list[str]]:
    import rjieba

    cut: Callable[[str], list[str]] = rjieba.cut
    return cut
