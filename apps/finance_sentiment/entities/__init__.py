"""The companies in a text: found by their names and tickers, and the words that speak of each."""

from apps.finance_sentiment.entities.clauses import clauses
from apps.finance_sentiment.entities.linker import LONGEST, Linker

__all__ = ["LONGEST", "Linker", "clauses"]
