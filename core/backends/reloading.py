"""A published model that is taken anew when another version comes into force, while calls go on.

Whoever asks gets one model for the whole call: the old one until its calls end, the new one from the moment it is open.
Nobody waits for the opening but the thread that found the new version, and a version that cannot be opened leaves the
old one in its place. Knows the store and a function that opens; nothing of what is opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from core.errors import SuiteError
from core.log import get_logger
from core.models.artifacts import Artifact, ArtifactStore

T = TypeVar("T")


class Reloading(Generic[T]):
    """Holds the version in force of one published model."""

    def __init__(self, load: Callable[[Artifact], T], store: ArtifactStore, name: str, *, every: float = 1.0) -> None:
        """Open the version in force.

        :param load: opens a version whose hashes were checked, as `core.backends.open_heads` does.
        :param name: as it was published; no other name is looked for.
        :param every: seconds between looks at the store, at least.
        :raises ModelError: if nothing is published under the name, a file differs from its manifest, or as `load`.
        """
        self._load, self._store, self._name, self._every = load, store, name, every
        self._opening = threading.Lock()
        artifact = store.resolve(name)
        self._seen: str | None = artifact.version
        self._held = (load(artifact), artifact.version)
        self._looked = time.monotonic()

    @property
    def version(self) -> str:
        """The version that answers now."""
        return self._held[1]

    @contextmanager
    def use(self) -> Iterator[tuple[T, str]]:
        """The model for one call, with its version; it stays the same, and open, until the `with` ends."""
        if time.monotonic() - self._looked >= self._every:
            self._look()
        yield self._held

    def _look(self) -> None:
        if not self._opening.acquire(blocking=False):  # somebody looks already: this call takes what is there
            return
        try:
            self._looked = time.monotonic()
            current = self._store.current(self._name)
            if current == self._seen:
                return
            self._seen = current  # a version that cannot be opened is tried once, not with every call
            try:
                artifact = self._store.resolve(self._name)
                fresh = self._load(artifact)
            except (SuiteError, OSError) as error:
                get_logger(__name__).error("model_not_reloaded", model=self._name, version=current, error=str(error))
                return
            self._seen = artifact.version
            self._held = (fresh, artifact.version)  # the old one goes when the last call lets go of it
            get_logger(__name__).info("model_reloaded", model=self._name, version=artifact.version)
        finally:
            self._opening.release()
