"""The three measurements of this app, on a company's own labelled files. See `triptych customer-service evaluate`."""

from apps.customer_service.evaluate_faq import evaluate_faq
from apps.customer_service.evaluate_intents import evaluate_intents
from apps.customer_service.evaluate_rag import evaluate_rag

__all__ = ["evaluate_faq", "evaluate_intents", "evaluate_rag"]
