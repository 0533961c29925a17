"""The one error tree of the suite.

Every error a user can meet is here; its message names the bad value and the fix, and its class carries the HTTP
status the web layer answers with.

SuiteError                   500
├── InputError               422  the caller can mend it
│   ├── UnreadableDocument        a file that is damaged, encrypted, too big or not what its name says
│   ├── UnknownColumn             a table lacks a column that was asked for
│   └── TooLarge             413  a body, file or text over its limit
├── NotFound                 404  no such document, conversation, model, version
├── Conflict                 409  the state does not allow it
├── Overloaded               429  retry after a while (carries retry_after in seconds)
├── Unavailable              503  a part this needs is not there (carries retry_after in seconds)
└── ModelError               500
    ├── ModelNotPrepared     503  exported model missing: run `triptych models prepare`
    ├── ArtifactDamaged           a file's SHA-256 differs from its manifest
    ├── IndexDamaged              an index file differs from its manifest; rebuilt from SQL
    ├── ParityFailed              an export that differs from torch
    └── ProviderUnavailable  503  asked for CUDA, got CPU
"""

from __future__ import annotations


class SuiteError(Exception):
    """Root of every error the suite raises on purpose."""

    status = 500
    title = "Internal error"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which a retry makes sense; None when it does not."""


class InputError(SuiteError):
    """The caller's input is wrong and the caller can mend it."""

    status = 422
    title = "Invalid input"


class UnreadableDocument(InputError):
    """A document that is damaged, encrypted, too big inside, or not what its name says."""

    title = "Unreadable document"


class UnknownColumn(InputError):
    """A table lacks a column that was asked for."""

    title = "Unknown column"


class TooLarge(InputError):
    """A body, a file or a text over its limit."""

    status = 413
    title = "Too large"


class NotFound(SuiteError):
    """No such document, conversation, model or version."""

    status = 404
    title = "Not found"


class Conflict(SuiteError):
    """The present state does not allow the request."""

    status = 409
    title = "Conflict"


class Overloaded(SuiteError):
    """A bounded queue is full; retry after `retry_after` seconds."""

    status = 429
    title = "Overloaded"


class Unavailable(SuiteError):
    """A part that the request needs is not there now."""

    status = 503
    title = "Unavailable"


class ModelError(SuiteError):
    """A model is missing, damaged or wrong."""

    title = "Model error"


class ModelNotPrepared(ModelError):
    """An exported model is missing; `triptych models prepare` makes it."""

    status = 503
    title = "Model not prepared"


class ArtifactDamaged(ModelError):
    """A published file's SHA-256 differs from its manifest."""

    title = "Damaged model"


class IndexDamaged(ModelError):
    """An index file differs from its manifest; the index is rebuilt from SQL."""

    title = "Damaged index"


class ParityFailed(ModelError):
    """An exported model differs from torch by more than its tolerance; it is not published."""

    title = "Parity failed"


class ProviderUnavailable(ModelError):
    """An execution provider was asked for and another one would have run."""

    status = 503
    title = "Provider unavailable"
