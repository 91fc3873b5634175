"""Whether what is seen among languages may be luck: relatives are alike, so that families are dealt out whole."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata


RESAMPLES = 9999


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rho; nan where one side is constant."""
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else float("nan")


def correlation_p(
    first: Sequence[float], second: Sequence[float], blocks: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """Two-sided p-value of the rank correlation of two values per language, with families as blocks.

    Languages are lined up by family. The families of one side change places, each whole and in an order of its own
    within, and both lines are paired again: what languages of a family have in common stays together, and is not
    taken for so many observations.

    Args:
        blocks: family of each language.
        resamples: random orders; the observed one counts as one more.

    Returns:
        nan where there are fewer than four families, or one side is constant.
    """
    names = list(dict.fromkeys(blocks))
    observed = rank_correlation(first, second)
    if len(names) < 4 or not np.isfinite(observed):
        return float("nan")
    members = [np.array([place for place, block in enumerate(blocks) if block == name]) for name in names]
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    ordered = a[np.concatenate(members)]
    draw = np.random.default_rng(seed)
    least = abs(float(a @ b)) - 1e-9
    as_far = 0
    for _ in range(resamples):
        line = np.concatenate([draw.permutation(members[place]) for place in draw.permutation(len(members))])
        as_far += abs(float(ordered @ b[line])) >= least
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
    observed = within_less_between(similarity, families)
    if not np.isfinite(observed):
        return float("nan")
    draw = np.random.default_rng(seed)
    names = np.array(families)
    as_far = sum(
        within_less_between(similarity, draw.permutation(names).tolist()) >= observed - 1e-12 for _ in range(resamples)
    )
    return (1 + as_far) / (1 + resamples)
