"""The structural probe: trees in the distances between words' states (Hewitt and Manning 2019, N19-1419).

Shapes: S sentences, W words (padded), E size of a state, R rank of the probe.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path
from torch.nn.utils.rnn import pad_sequence


# Small and quick, the same for every layer (our choice; the paper: rank 64 and more, until development data are at
# their best).
RANK, EPOCHS, BATCH, LEARNING_RATE = 32, 12, 20, 2e-3


@dataclass(frozen=True)
class Arcs:
    """A sentence of W words: states (W, E) of one layer, and heads (W,): 0 for the root, words counted from 1."""

    states: torch.Tensor
    heads: np.ndarray

    @property
    def edges(self) -> set[tuple[int, int]]:
        """Pairs of words, counted from 0, that an arc joins, the smaller number first."""
        return {(min(word, head - 1), max(word, head - 1)) for word, head in enumerate(self.heads) if head > 0}

    @property
    def distances(self) -> torch.Tensor:
        """(W, W), how many arcs lie between two words."""
        graph = np.zeros((len(self.heads), len(self.heads)))
        for one, other in self.edges:
            graph[one, other] = 1
        return torch.from_numpy(shortest_path(graph, directed=False)).float()


class StructuralProbe:
    """A linear map under which squared distances between words are those in their tree.

    Args:
        sentences: to learn from, of two words and more.
        seed: of the map at the start, and of the order of sentences.
    """

    def __init__(self, sentences: Sequence[Arcs], seed: int):
        generator = torch.Generator().manual_seed(seed)
        everything = torch.cat([sentence.states for sentence in sentences]).float()
        self.mean, deviation = everything.mean(dim=0), everything.std(dim=0)
        self.scale = 1 / deviation.clamp(min=1e-6)
        size = everything.shape[1]
        self.map = (torch.randn(size, RANK, generator=generator) / (size * RANK) ** 0.5).requires_grad_()
        optimizer = torch.optim.Adam([self.map], lr=LEARNING_RATE)
        prepared = [(self._scaled(sentence.states), sentence.distances) for sentence in sentences]
        for _ in range(EPOCHS):
            order = torch.randperm(len(prepared), generator=generator).tolist()
            for start in range(0, len(order), BATCH):
                loss = self._loss([prepared[place] for place in order[start : start + BATCH]])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def _scaled(self, states: torch.Tensor) -> torch.Tensor:
        return (states.float() - self.mean) * self.scale

    def _squared(self, states: torch.Tensor) -> torch.Tensor:
        """Squared distances (..., W, W) of scaled states (..., W, E)."""
        mapped = states @ self.map
        products = mapped @ mapped.transpose(-1, -2)
        norms = products.diagonal(dim1=-2, dim2=-1)
        return (norms[..., :, None] + norms[..., None, :] - 2 * products).clamp(min=0)

    def _loss(self, batch: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        """L1 between squared and true distances: the mean over pairs of a sentence's words, then over sentences."""
        states = pad_sequence([one for one, _ in batch], batch_first=True)
        width = states.shape[1]
        counts = torch.tensor([len(one) for one, _ in batch])
        true = torch.zeros(len(batch), width, width)
        for place, (_, distances) in enumerate(batch):
            true[place, : len(distances), : len(distances)] = distances
        there = torch.arange(width) < counts[:, None]
        pairs = there[:, :, None] & there[:, None, :]
        lost = ((self._squared(states) - true).abs() * pairs).sum(dim=(1, 2))
        return (lost / counts**2).mean()

    @torch.no_grad()
    def edges(self, states: torch.Tensor) -> set[tuple[int, int]]:
        """The arcs without direction of a sentence's states (W, E): its minimum spanning tree."""
        # Zeros are no edges to SciPy, and words may fall together.
        found = minimum_spanning_tree(self._squared(self._scaled(states)).numpy() + 1e-6).tocoo()
        return {(int(min(one, other)), int(max(one, other))) for one, other in zip(found.row, found.col, strict=True)}

    def attachment(self, sentences: Sequence[Arcs]) -> float:
        """UUAS: percent of the true arcs, without direction, that are found."""
        return _share([(self.edges(sentence.states), sentence.edges) for sentence in sentences])


def neighbours_attachment(sentences: Sequence[Arcs]) -> float:
    """UUAS of joining every word with the next one: what is found without any state."""
    chains = [({(word, word + 1) for word in range(len(one.heads) - 1)}, one.edges) for one in sentences]
    return _share(chains)


def _share(pairs: Sequence[tuple[set, set]]) -> float:
    return 100 * sum(len(found & true) for found, true in pairs) / max(1, sum(len(true) for _, true in pairs))
