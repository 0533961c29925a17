"""The index on disk, held to the very content it was made from.

Revision and ids alone do not tell one database from another that was filled anew, so a digest of ids and texts is kept
beside the index. Knows passages and files; nothing of SQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from apps.customer_service.model import Held, Knowledge
from core.errors import IndexDamaged
from core.index.hybrid import HybridIndex

_CONTENT = "content"


def load(folder: Path, held: Sequence[Held], revision: int, encoders: Mapping[str, str]) -> HybridIndex:
    """The index of these passages.

    :raises IndexDamaged: if a file is missing or changed, or they were saved from other content.
    """
    index, saved = HybridIndex.load(folder, encoders=encoders)
    try:
        content = (folder / _CONTENT).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"{folder / _CONTENT} cannot be read. Rebuild the index.") from error
    if saved != revision or content != _digest(held) or index.ids.tolist() != [h.id for h in held]:
        raise IndexDamaged(f"{folder} was saved from other content. Rebuild the index.")
    return index


def save(folder: Path, knowledge: Knowledge, revision: int, encoders: Mapping[str, str]) -> None:
    """Write the index and what it was made from.

    :raises OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    knowledge.index.save(folder, revision=revision, encoders=encoders)
    (folder / _CONTENT).write_text(_digest(knowledge.passages.values()), encoding="ascii")


def _digest(held: Iterable[Held]) -> str:
    """Of ids and texts: an index of another database must not pass for this one's."""
    digest = hashlib.sha256()
    for h in sorted(held, key=lambda h: h.id):
        digest.update(f"{h.id}\0{h.chunk.context}\0{h.chunk.text}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
