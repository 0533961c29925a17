"""The ranking loss of sentence-transformers for pairs of which some belong together across rows, and for rows with
different numbers of negatives.

Every other passage of a batch is a negative of a query, except those that the data links with it. Knows embeddings and
numbers of groups; nothing of texts. Imported where pairs are trained, for the library is heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from sentence_transformers.sentence_transformer import losses
from torch.nn import functional as F

PURE = -1
"""Group of a passage that belongs to no query."""


def links(groups: Sequence[int], negatives: Sequence[tuple[int, int]]) -> torch.Tensor:
    """What the losses take as labels: (2, m) int64 for the m = n + len(negatives) passages of a batch of n pairs, first
    the group of each, then the row whose own it is.

    :param groups: of the n pairs: pairs of one group are never each other's negatives.
    :param negatives: of the passages behind the n positives: row, and group or `PURE`.
    """
    found = [[*groups, *(group for _, group in negatives)], [*range(len(groups)), *(row for row, _ in negatives)]]
    return torch.tensor(found, dtype=torch.int64)


def ranking_losses(
    queries: torch.Tensor, passages: torch.Tensor, labels: torch.Tensor, rows: slice, *, scale: float, symmetric: bool
) -> torch.Tensor:
    """Negative log share of each query's positive among all passages that are not linked with the query.

    :param queries: (n, d) of the batch.
    :param passages: (m, d), the n positives first.
    :param labels: (2, m) as `links` gives them.
    :param rows: the queries to answer for.
    :param symmetric: put the positive's cosines to the queries that are not linked into the same sum.
    :returns: (rows,) float.

    Henderson et al. 2017, "Efficient Natural Language Response Suggestion for Smart Reply", section 4.4; with no links
    it is the library's own, directions "query_to_doc" and, if symmetric, "doc_to_query".
    """
    n = len(queries)
    unit, others = F.normalize(queries, dim=1), F.normalize(passages, dim=1)
    groups, owners = labels
    own = torch.arange(n, device=labels.device)[rows, None]
    linked = (groups[None, :] == groups[:n][rows, None]) & (owners[None, :] != own)
    scores = (unit[rows] @ others.T * scale).masked_fill(linked, -torch.inf)
    share = [scores]
    if symmetric:
        share.append((others[:n][rows] @ unit.T * scale).masked_fill(linked[:, :n], -torch.inf))
    return torch.logsumexp(torch.cat(share, dim=1), dim=1) - scores.gather(1, own)[:, 0]


class LinkedRanking(losses.MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss` that leaves linked passages out."""

    def compute_loss_from_embeddings(self, embeddings: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Mean over the batch.

        :param embeddings: (n, d) queries, (n, d) positives, and perhaps (k, d) negatives.
        :param labels: as `links` gives them.
        """
        passages = torch.cat(embeddings[1:])
        symmetric = "doc_to_query" in self.directions
        return ranking_losses(
            embeddings[0], passages, labels, slice(None), scale=self.scale, symmetric=symmetric
        ).mean()


class CachedLinkedRanking(losses.CachedMultipleNegativesRankingLoss):
    """The same for batches larger than memory."""

    def calculate_loss(
        self, reps: list[list[torch.Tensor]], labels: torch.Tensor | None = None, *, with_backward: bool = False
    ) -> torch.Tensor:
        """Mean over the batch, a slice of the queries at a time."""
        assert labels is not None
        queries, passages = torch.cat(reps[0]), torch.cat([part for column in reps[1:] for part in column])
        symmetric = "doc_to_query" in self.directions
        total = torch.zeros((), device=queries.device)
        for start in range(0, len(queries), self.mini_batch_size):
            rows = slice(start, start + self.mini_batch_size)
            each = ranking_losses(queries, passages, labels, rows, scale=self.scale, symmetric=symmetric)
            part = each.sum() / len(queries)
            if with_backward:
                part.backward()  # type: ignore[no-untyped-call]
                part = part.detach()
            total = total + part
        return total


Directions = tuple[Literal["query_to_doc", "doc_to_query"], ...]


def make_loss(model: Any, *, temperature: float, symmetric: bool, cached: int) -> Any:
    """The loss module of a `SentenceTransformer`; called with columns of features and `links`.

    :param cached: rows embedded at a time; 0 embeds the batch at once.
    """
    directions: Directions = ("query_to_doc", "doc_to_query") if symmetric else ("query_to_doc",)
    options: dict[str, Any] = {"scale": 1 / temperature, "directions": directions}
    if cached:
        return CachedLinkedRanking(model, mini_batch_size=cached, **options)
    return LinkedRanking(model, **options)
