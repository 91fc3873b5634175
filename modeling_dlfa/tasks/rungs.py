"""The ladder: tasks from easy to hard that are derived from one set of dependency trees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .trees import RELATIONS, UNKNOWN_RELATION, UPOS, Tree, depths


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
    "masked": Rung((), lambda tree: tree.tokens),
}
"""The ladder from easy to hard. Of "arcs" and "tree" the labels are relations and the heads belong to the task too.

"direction" says where the head stands: "left" (before the word), "right", or "root" for the root word. "depth" counts
the arcs up to the root word, from 5 on in one bucket: in English web text that bucket holds a tenth of the words, like
the next-smaller one. "distance" is the direction with the number of words from the word to its head, in buckets.
"masked" is no rung but a control beside the ladder: of the sentences alone, any word may be asked for.
"""
