"""Sentences that mean the same, found by their vectors: nearest neighbours, and mining by the ratio margin.

Shapes: N queries, M vectors that are looked through, E their size.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


NEIGHBOURS = 4  # of the ratio margin, XTREME's
FIXED_THRESHOLD = 1.04
"""Ratio margin of WikiMatrix (Schwenk et al. 2019, arXiv 1907.05791), for data that no threshold can be set on."""

QUERIES, INDEX = 1024, 32768
"""Rows of a block of similarities (our choice), 134 MB of float32."""


def normalised(vectors: np.ndarray) -> torch.Tensor:
    """Rows of length 1 in float32; rows of zeros stay so."""
    return torch.nn.functional.normalize(torch.from_numpy(np.asarray(vectors, dtype=np.float32)), dim=-1)


def nearest(queries: np.ndarray, index: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of `index` for each query by cosine, exact, the nearest first.

    A block of queries meets a block of the index, so that beside the two arrays (which may be mapped from disk, in 16
    bits) only the blocks are in memory: similarities 1,024 x 32,768 x 4 bytes = 134 MB, an index block of 384
    dimensions 50 MB twice, and what is found. 400,000 against 460,000 sentences of 384 dimensions take 0.66 GB in 16
    bits, 1.32 GB in 32, and about 0.3 GB more. Which of equally near
    rows comes first is open.

    Args:
        queries: (N, E), of any float type, not normalised.
        index: (M, E).
        k: at most M.

    Returns:
        similarities (N, k) float32, and places in `index` (N, k).
    """
    k = min(k, len(index))
    similarities = torch.full((len(queries), k), -torch.inf)
    places = torch.zeros((len(queries), k), dtype=torch.long)
    for first in range(0, len(index), INDEX):
        block = normalised(index[first : first + INDEX]).T.contiguous()
        for start in range(0, len(queries), QUERIES):
            rows = slice(start, start + QUERIES)
            found = normalised(queries[rows]) @ block
            values, at = found.topk(min(k, found.shape[1]), dim=1)
            values = torch.cat((similarities[rows], values), dim=1)
            at = torch.cat((places[rows], at + first), dim=1)
            values, order = values.sort(dim=1, descending=True, stable=True)
            similarities[rows], places[rows] = values[:, :k], at.gather(1, order)[:, :k]
    return similarities.numpy(), places.numpy()


@dataclass(frozen=True)
class Pairs:
    """Pairs that were mined, the surest first: places of the foreign and of the English sentences, and margins (P)."""

    foreign: np.ndarray
    english: np.ndarray
    margins: np.ndarray


def mine(foreign: np.ndarray, english: np.ndarray, k: int = NEIGHBOURS) -> Pairs:
    """Pairs of sentences of two corpora that translate each other, as XTREME mines them for BUCC.

    The ratio margin of x and y is their cosine divided by the mean of two means: that of the cosines of x and its k
    nearest y, and that of y and its k nearest x (Artetxe and Schwenk 2019, arXiv 1811.01136). Every sentence proposes
    the one among its k nearest that has the highest margin; all proposals of both sides are taken from the highest
    margin down, as long as both of its sentences are free.

    Args:
        foreign: (N, E), each sentence once.
        english: (M, E).

    Returns:
        pairs, at most the smaller of N and M; which are good enough, a threshold on the margins says.
    """
    forward, to_english = nearest(foreign, english, k)
    backward, to_foreign = nearest(english, foreign, k)
    of_foreign, of_english = forward.mean(axis=1), backward.mean(axis=1)
    margins = forward / ((of_foreign[:, None] + of_english[to_english]) / 2)  # (N, k)
    back = backward / ((of_english[:, None] + of_foreign[to_foreign]) / 2)  # (M, k)
    best, best_back = margins.argmax(axis=1), back.argmax(axis=1)
    here, there = np.arange(len(foreign)), np.arange(len(english))
    sources = np.concatenate((here, to_foreign[there, best_back]))
    targets = np.concatenate((to_english[here, best], there))
    scores = np.concatenate((margins[here, best], back[there, best_back]))
    used, used_english = np.zeros(len(foreign), bool), np.zeros(len(english), bool)
    kept = []
    for place in np.argsort(-scores, kind="stable"):
        if not used[sources[place]] and not used_english[targets[place]]:
            used[sources[place]] = used_english[targets[place]] = True
            kept.append(place)
    return Pairs(sources[kept], targets[kept], scores[kept])


def best_threshold(right: Sequence[bool] | np.ndarray, margins: np.ndarray, gold: int) -> tuple[float, float]:
    """The threshold on margins with the best F1, and that F1 between 0 and 1.

    Args:
        right: of every pair whether it is one of the gold ones; the highest margin first.
        margins: of the pairs.
        gold: how many gold pairs there are.

    Returns:
        the middle between the last margin that is taken and the next one, as XTREME; where no pair is right, or there
        is none, infinity and 0.
    """
    found = np.cumsum(np.asarray(right, dtype=float))
    if not gold or not len(found) or not found[-1]:
        return float("inf"), 0.0
    f1 = 2 * found / (np.arange(1, len(found) + 1) + gold)
    last = int(f1.argmax())
    following = margins[min(last + 1, len(margins) - 1)]
    return float((margins[last] + following) / 2), float(f1[last])


def repeated(texts: Sequence[str]) -> frozenset[str]:
    """The texts that are there more than once."""
    return frozenset(text for text, count in Counter(texts).items() if count > 1)
