"""The bot's settings: how passages are cut, found and judged, and when the generator may write."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.settings import CoreSettings

Tuning = Literal["auto", "off", "contrastive", "full"]
"""Whether the intents' encoder is tuned on their examples before the classifier is fitted."""


class CustomerServiceSettings(CoreSettings):
    """`TRIPTYCH_*` variables of the customer-service bot."""

    passage_tokens: int = Field(150, ge=16, le=240)
    """Bound of a passage, in tokens of the encoder of its language."""

    passages: int = Field(5, ge=1, le=20)
    """Passages a question retrieves; the best four are read for quotes and judged."""

    lexical_weight: float = Field(1.0, ge=0, le=10)
    """Weight of BM25, as a share of the best score the question could reach."""

    dense_weight_en: float = Field(0.7, ge=0, le=10)
    """Weight of the English encoder's cosine."""

    dense_weight_other: float = Field(0.2, ge=0, le=10)
    """Weight of the multilingual encoder's cosine within one language: it is the weaker retriever there."""

    title_weight: float = Field(0.2, ge=0, le=10)
    """Weight of how much of a document's title the question names."""

    quote_sentences: int = Field(3, ge=1, le=10)
    """Sentences an answer quotes at most."""

    compose: Literal["never", "ask", "always"] = "ask"
    """Whether the generator writes answers: never, where a request asks for it, or always where it can be proved."""

    compose_tokens: int = Field(96, ge=8, le=1024)
    """Tokens a written answer may have at most."""

    false_refusal: float = Field(0.04, ge=0, le=0.5)
    """Share of answerable questions the bot may decline; picks the threshold on the fitted curve."""

    support_contact: str = ""
    """What to do when the bot declines, as in "Write to support@example.com"; shown with every refusal."""

    tuning: Tuning = "auto"
    """Fine-tuning of an encoder when intents are trained: `contrastive` for a handful of examples an intent, `full` for
    dozens, `off` for seconds instead of minutes; `auto` tunes where the extra `train` is installed, and uses the result
    only if held-out rows of the training file say that it helps."""

    retention_days: int = Field(0, ge=0)
    """Conversations last used longer ago than this are deleted at start; 0 keeps them."""
