"""Dependency trees: what a tree is.

Words of a sentence are numbered from 1 and head 0 is the root. A sentence of W words is given by its W heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass


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

TREE_COLUMNS = ("tokens", "upos", "heads", "relations")
"""What a data set of trees has, by our names."""

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
