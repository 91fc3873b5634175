"""How hard a sentence is by its dependency tree, and the easier and the harder half of a corpus."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from datasets import Dataset

from .trees import depths


Measure = Literal["dependency_length", "depth"]


def dependency_length(heads: Sequence[int]) -> float:
    """Mean distance in words between a word and its head, over all words but the root word; 0 for one word.

    After Futrell et al. 2015 (arXiv 1510.02823), who add the lengths up; the mean (our choice) does not grow with the
    mere number of words. Punctuation counts.
    """
    lengths = [abs(head - word) for word, head in enumerate(heads, start=1) if head]
    return sum(lengths) / len(lengths) if lengths else 0.0


def depth(heads: Sequence[int]) -> float:
    """Arcs on the longest path down from the root word."""
    return float(max(depths(heads)))


MEASURES: Mapping[str, Callable[[Sequence[int]], float]] = {"dependency_length": dependency_length, "depth": depth}


def half(trees: Dataset, which: Literal["easy", "hard"], measure: Measure = "dependency_length") -> list[int]:
    """The easier or the harder half of the sentences. The halves have as many words, to within one sentence.

    Sentences are sorted by the measure and cut where the words before and after are most nearly as many. Ties are
    broken by a fixed order that mixes the corpus, because corpora are sorted by genre.

    Args:
        trees: rows with the column `heads`; those of a tagging task made from the same trees are in the same order.

    Returns:
        Places of the rows, ascending. Every row is in exactly one half.
    """
    heads: list[list[int]] = trees["heads"][:]
    hardness = MEASURES[measure]
    keys = [(hardness(row), index * 2654435761 % 2**32) for index, row in enumerate(heads)]  # Knuth's multiplier
    order = np.array(sorted(range(len(heads)), key=keys.__getitem__), dtype=np.int64)
    words = np.cumsum([0, *(len(heads[index]) for index in order)])
    cut = int(np.abs(2 * words - words[-1]).argmin())
    return sorted((order[:cut] if which == "easy" else order[cut:]).tolist())
