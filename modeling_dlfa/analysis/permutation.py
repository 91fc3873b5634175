"""Whether what is seen among languages may be luck: relatives are alike, so that families are dealt out whole."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import factorial, prod

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


RESAMPLES = 9999
FEWEST_ORDERS = 20  # with fewer no p-value could be 0.05


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rho; nan where one side is constant."""
    a, b = _ranks(first), _ranks(second)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else float("nan")


def _ranks(values: ArrayLike) -> np.ndarray:
    """Around 0."""
    return rankdata(values) - (np.size(values) + 1) / 2


class Blocks:
    """Languages in families, and those in branches, or any other nested groups.

    What changes places is what is built alike: languages of a branch with each other, branches of a family with as
    many languages, families of the same build. Where groups have effects of their own, that is all that leaves chance
    as it is: p-values of other orders, such as of families of different sizes in a row, are too small.

    Args:
        paths: of each language the groups that it is in, from the outermost on.
    """

    def __init__(self, paths: Sequence[tuple[str, ...]]):
        self._places = list(range(len(paths)))
        self._paths = list(paths)
        self._root = self._node(self._places, 0)

    def _node(self, places: Sequence[int], level: int):
        """(shape, children), the children by shape; of a single language (shape, its place)."""
        if level == len(self._paths[places[0]]):
            children = [((), place) for place in places]
        else:
            named: dict[str, list[int]] = {}
            for place in places:
                named.setdefault(self._paths[place][level], []).append(place)
            children = [self._node(members, level + 1) for members in named.values()]
        children.sort(key=lambda child: child[0])
        return (len(places), *(child[0] for child in children)), children

    @property
    def orders(self) -> int:
        """How many there are."""
        return self._orders(self._root)

    def _orders(self, node) -> int:
        shape, children = node
        if not shape:
            return 1
        alike = Counter(child[0] for child in children).values()
        return prod(factorial(count) for count in alike) * prod(self._orders(child) for child in children)

    def order(self, draw: np.random.Generator | None = None) -> list[int]:
        """Places of the languages in a random order, or without a draw in the one that all others are paired with."""
        return self._order(self._root, draw)

    def _order(self, node, draw: np.random.Generator | None) -> list[int]:
        shape, children = node
        if not shape:
            return [children]
        line: list[int] = []
        for _, group in groupby(children, key=lambda child: child[0]):
            alike = list(group)
            places = range(len(alike)) if draw is None else draw.permutation(len(alike))
            for place in places:
                line += self._order(alike[place], draw)
        return line


def correlation_p(
    first: ArrayLike,
    second: ArrayLike,
    paths: Sequence[tuple[str, ...]],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p-value of the rank correlation of two values per language, with families as blocks.

    Args:
        paths: as for `Blocks`.
        resamples: random orders; the observed one counts as one more.

    Returns:
        nan where there are hardly any orders, or one side is constant.
    """
    blocks = Blocks(paths)
    if blocks.orders < FEWEST_ORDERS or not np.isfinite(rank_correlation(first, second)):
        return float("nan")
    a, b = _ranks(first), _ranks(second)
    ours = a[blocks.order()]
    least = abs(float(a @ b)) - 1e-9
    draw = np.random.default_rng(seed)
    as_far = sum(abs(float(ours @ b[blocks.order(draw)])) >= least for _ in range(resamples))
    return (1 + as_far) / (1 + resamples)


def within_less_between(similarity: np.ndarray, families: Sequence[str]) -> float:
    """The mean similarity of two languages of one family less that of two of different ones.

    nan where there is no pair of the one or the other.
    """
    same = np.equal.outer(np.array(families), np.array(families))
    pairs = np.triu(np.ones_like(same), 1)
    within, between = similarity[pairs & same], similarity[pairs & ~same]
    return float(within.mean() - between.mean()) if len(within) and len(between) else float("nan")


def families_p(similarity: np.ndarray, families: Sequence[str], seed: int = 0, resamples: int = RESAMPLES) -> float:
    """One-sided p-value of `within_less_between`: how often families dealt out at random are as much alike.

    nan where the difference is.
    """
    if not np.isfinite(within_less_between(similarity, families)):
        return float("nan")
    names = np.unique(np.array(families), return_inverse=True)[1]
    ours, others = np.triu_indices(len(names), 1)
    values = similarity[ours, others]
    least = values[names[ours] == names[others]].sum() - 1e-9  # there are as many pairs whoever is in which family
    draw = np.random.default_rng(seed)
    as_far = 0
    for _ in range(resamples):
        dealt = draw.permutation(names)
        as_far += values[dealt[ours] == dealt[others]].sum() >= least
    return (1 + as_far) / (1 + resamples)
