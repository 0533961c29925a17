"""Search over passages: dense (FAISS), lexical (BM25), and both fused.

Ids are the primary keys of the passages' rows. Every index is derived data and can be rebuilt from SQL.
"""

from __future__ import annotations

from core.index.fusion import reciprocal_rank_fusion, weighted_fusion
from core.index.hybrid import Block, Fusion, HybridIndex, Query, Reranker
from core.index.lexical import LexicalIndex
from core.index.vector import VectorIndex

__all__ = [
    "Block",
    "Fusion",
    "HybridIndex",
    "LexicalIndex",
    "Query",
    "Reranker",
    "VectorIndex",
    "reciprocal_rank_fusion",
    "weighted_fusion",
]
