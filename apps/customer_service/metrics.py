"""What the bot did, in numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from apps.customer_service.schemas import Action, Answer


class ChatMetrics:
    """Answers by action, tokens, and seconds to the first piece of a streamed answer."""

    def __init__(self) -> None:
        self.answers = Counter("triptych_answers", "Questions by what the bot did.", ["action"], registry=None)
        self.tokens = Counter("triptych_tokens", "Tokens read and written.", ["kind"], registry=None)
        self.first_delta = Histogram(
            "triptych_first_delta_seconds",
            "Seconds from a question to the first piece of its streamed answer.",
            buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
            registry=None,
        )
        for action in Action:
            self.answers.labels(action.value)
        for kind in ("prompt", "completion"):
            self.tokens.labels(kind)

    @property
    def collectors(self) -> Sequence[Collector]:
        """For the server's registry."""
        return (self.answers, self.tokens, self.first_delta)

    def count(self, answer: Answer) -> None:
        """Take a finished answer into account."""
        self.answers.labels(answer.action.value).inc()
        self.tokens.labels("prompt").inc(answer.usage.prompt_tokens)
        self.tokens.labels("completion").inc(answer.usage.completion_tokens)
