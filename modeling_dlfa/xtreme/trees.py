"""Dependency trees: what a tree is, the ladder of tasks that is derived from one, decoding, and how hard a tree is.

Words of a sentence are numbered from 1 and head 0 is the root. A sentence of W words is given by its W heads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from datasets import Dataset
from ufal.chu_liu_edmonds import chu_liu_edmonds  # pyright: ignore[reportAttributeAccessIssue]


UPOS: tuple[str, ...] = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
"""The 17 universal parts of speech."""

RELATIONS: tuple[str, ...] = (
    *("acl", "advcl", "advmod", "amod", "appos", "aux", "case", "cc", "ccomp", "clf", "compound", "conj", "cop"),
    *("csubj", "dep", "det", "discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj", "list", "mark"),
    *("nmod", "nsubj", "nummod", "obj", "obl", "orphan", "parataxis", "punct", "reparandum", "root", "vocative"),
    "xcomp",
)
"""The 37 universal relations of Universal Dependencies 2."""

UNKNOWN_RELATION = "dep"


@dataclass(frozen=True)
class Tree:
    """The analysis of one sentence of W words.

    Attributes:
        tokens: word forms.
        upos: universal parts of speech.
        heads: 0 (root) to W.
        relations: universal relations to the heads, without subtypes.
    """

    tokens: list[str]
    upos: list[str]
    heads: list[int]
    relations: list[str]


def universal(relation: str) -> str:
    """A relation without its language-specific subtype: "nmod:poss" -> "nmod"."""
    return relation.partition(":")[0]


def fault(tokens: Sequence[str], heads: Sequence[int]) -> tuple[int, str] | None:
    """What keeps heads from being a tree with one root: (number of the word to blame, reason); None if nothing."""

    def named(word: int) -> str:
        return f"{word} {tokens[word - 1]!r}"

    for word, head in enumerate(heads, start=1):
        if not 0 <= head <= len(heads):
            return word, f"the head {head} of word {named(word)} is outside the sentence of {len(heads)} words"
    roots = [word for word, head in enumerate(heads, start=1) if head == 0]
    if len(roots) > 1:
        return roots[1], f"two roots, words {named(roots[0])} and {named(roots[1])}: expected one"
    if not roots:
        return 1, "no root: expected one word with head 0"
    if cycle := _cycle(heads):
        return cycle[0], f"a cycle of heads, words {' -> '.join(named(word) for word in [*cycle, cycle[0]])}"
    return None


def _cycle(heads: Sequence[int]) -> list[int]:
    """The words of a cycle, from its first word on along the heads; empty where there is none."""
    seen: set[int] = {0}
    for start in range(1, len(heads) + 1):
        path: list[int] = []
        word = start
        while word not in seen:
            seen.add(word)
            path.append(word)
            word = heads[word - 1]
        if word in path:
            cycle = path[path.index(word) :]
            first = cycle.index(min(cycle))
            return cycle[first:] + cycle[:first]
    return []


# ---------------------------------------------------------------- the ladder


def depths(heads: Sequence[int]) -> list[int]:
    """Arcs between each word of a tree and its root word: 0 for the root word, 1 for its dependents."""
    found: dict[int, int] = {0: -1}
    for start in range(1, len(heads) + 1):
        path: list[int] = []
        word = start
        while word not in found:
            path.append(word)
            word = heads[word - 1]
        for above, below in enumerate(reversed(path), start=found[word] + 1):
            found[below] = above
    return [found[word] for word in range(1, len(heads) + 1)]


def _directions(tree: Tree) -> list[str]:
    return [
        "root" if head == 0 else "left" if head < word else "right" for word, head in enumerate(tree.heads, start=1)
    ]


def _depth_labels(tree: Tree) -> list[str]:
    return [str(depth) if depth < 5 else "5+" for depth in depths(tree.heads)]


# Upper ends of the buckets of |head - word|. Our choice: exact where most words are, doubling beyond.
_DISTANCES = ((1, "1"), (2, "2"), (3, "3"), (5, "4-5"), (10, "6-10"), (np.inf, "11+"))


def _distance_labels(tree: Tree) -> list[str]:
    labels = []
    for word, head in enumerate(tree.heads, start=1):
        bucket = next(name for end, name in _DISTANCES if abs(head - word) <= end)
        labels.append("root" if head == 0 else f"{'left' if head < word else 'right'} {bucket}")
    return labels


@dataclass(frozen=True)
class Rung:
    """One task of the ladder: its labels, and how a tree gives one to each word."""

    labels: tuple[str, ...]
    label: Callable[[Tree], list[str]]


RUNGS: Mapping[str, Rung] = {
    "upos": Rung(UPOS, lambda tree: tree.upos),
    "direction": Rung(("root", "left", "right"), _directions),
    "depth": Rung(("0", "1", "2", "3", "4", "5+"), _depth_labels),
    "distance": Rung(
        ("root", *(f"{side} {name}" for side in ("left", "right") for _, name in _DISTANCES)), _distance_labels
    ),
    "arcs": Rung((UNKNOWN_RELATION,), lambda tree: [UNKNOWN_RELATION] * len(tree.heads)),
    "tree": Rung(RELATIONS, lambda tree: tree.relations),
}
"""The ladder from easy to hard. Of "arcs" and "tree" the labels are relations and the heads belong to the task too.

"direction" says where the head stands: "left" (before the word), "right", or "root" for the root word. "depth" counts
the arcs up to the root word, from 5 on in one bucket: in English web text that bucket holds a tenth of the words, like
the next-smaller one. "distance" is the direction with the number of words from the word to its head, in buckets.
"""


# ---------------------------------------------------------------- decoding


def spanning_tree(scores: np.ndarray) -> np.ndarray:
    """The tree with exactly one root whose arcs have the largest sum of scores.

    Chu-Liu-Edmonds, which may give the root several dependents; a penalty on every arc from the root that exceeds
    what any choice of the other arcs can win leaves it one.

    Args:
        scores: (W, W + 1), of each word's heads: column 0 is the root, column j is word j. A word as its own head is
            never chosen. What is not finite counts as the lowest of the finite scores.

    Returns:
        (W,) heads.
    """
    scores = np.array(scores, dtype=np.float64)
    words = np.arange(len(scores))
    scores[words, words + 1] = np.nan
    finite = np.isfinite(scores)
    lowest, highest = (scores[finite].min(), scores[finite].max()) if finite.any() else (0.0, 0.0)
    scores[~finite] = lowest
    scores -= highest  # of the magnitude of differences, so that the penalty costs little precision
    scores[:, 0] -= len(scores) * (highest - lowest) + 1
    # The row of the root itself is not read.
    heads, _ = chu_liu_edmonds(np.vstack([np.zeros(len(scores) + 1), scores]))
    return np.array(heads[1:], dtype=np.int64)


def decode(arc_logits: torch.Tensor, relation_logits: torch.Tensor, words: torch.Tensor | None = None) -> torch.Tensor:
    """The best tree of every sentence of a batch, and the best relation to each word's head in it.

    Where taking every word's best head gives a tree with one root, that is the best one; only the other sentences go
    through `spanning_tree`.

    Args:
        arc_logits: (B, W, W + 1), column 0 the root; the columns of padded words hold the lowest number of the type.
        relation_logits: (B, W, W + 1, C).
        words: (B, W), true for words, false for padding behind them. Without it, read off the columns of
            `arc_logits`.

    Returns:
        (B, W, 2) heads and relation ids, -100 at padding.
    """
    batch, width = arc_logits.shape[:2]
    if words is None:
        words = arc_logits[:, 0, 1:] != torch.finfo(arc_logits.dtype).min  # true of nan too: training may diverge
    own = torch.eye(width, dtype=torch.bool, device=arc_logits.device)
    barred = torch.nn.functional.pad(own | ~words[:, None, :], (1, 0))
    heads = arc_logits.masked_fill(barred, -torch.inf).argmax(dim=-1).masked_fill(~words, 0)
    for row in (~_are_trees(heads, words)).nonzero().flatten().tolist():
        count = int(words[row].sum())
        tree = spanning_tree(arc_logits[row, :count, : count + 1].float().cpu().numpy())
        heads[row, :count] = torch.from_numpy(tree).to(heads)
    at_heads = heads[:, :, None, None].expand(batch, width, 1, relation_logits.shape[-1])
    relations = relation_logits.gather(2, at_heads).squeeze(2).argmax(dim=-1)
    return torch.stack([heads, relations], dim=-1).masked_fill(~words[..., None], -100)


def _are_trees(heads: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """(B,) whether heads (B, W), 0 at padding, are trees with one root."""
    above = torch.nn.functional.pad(heads, (1, 0))  # (B, W + 1): the root is above itself
    for _ in range(heads.shape[1].bit_length()):
        above = above.gather(1, above)  # twice as far up
    one_root = ((heads == 0) & words).sum(dim=1) == 1
    return one_root & (above == 0).all(dim=1)


# ---------------------------------------------------------------- how hard a sentence is


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
