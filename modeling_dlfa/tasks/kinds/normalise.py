"""Pieces for bringing the columns of a data set on the Hub into ours."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from datasets import ClassLabel

from ...errors import InputError, one_line
from ..readers import known_labels
from ..trees import RELATIONS, TREE_COLUMNS, UPOS, Tree, fault, universal


if TYPE_CHECKING:
    from ..task import Task


_NO_HEAD = (None, "None", "_", "")


def label_ids(task: "Task", values: Sequence[Any], feature: Any, where: str) -> list[int]:
    """Our ids of a data set's labels, matched by name.

    Labels may be `ClassLabel`s in any order, strings, or integers that are written like the label (0 for "0").

    Raises:
        InputError: unknown or missing labels.
    """
    name_of: Callable[[Any], str] = str
    if isinstance(feature, ClassLabel):
        name_of = list(feature.names or ()).__getitem__
    seen = set(values)
    if seen & {None, -1}:  # -1 is how `ClassLabel` columns write "no label"
        raise InputError(f"{where}: rows without a label; expected one of {', '.join(task.labels)}")
    names = {value: name_of(value) for value in seen}
    known = known_labels(task)
    if unknown := sorted(name for name in names.values() if name not in known):
        raise InputError(
            f"{where}: unknown label {unknown[0]!r}; seen {', '.join(sorted(names.values()))}; "
            f"expected {', '.join(task.labels)}"
        )
    return [known[names[value]] for value in values]


def raw_trees(
    columns: dict[str, list], upos_feature: Any, where: str, known_relations: Sequence[str] = RELATIONS
) -> list[Tree]:
    """The trees of a data set: heads may be strings, parts of speech `ClassLabel`s, relations have subtypes.

    What has no head (multiword ranges and empty nodes, which the Hub's conversion keeps) is dropped.

    Raises:
        InputError: unknown parts of speech or relations, and heads that are no tree with one root.
    """
    if isinstance(upos_feature.feature, ClassLabel):
        columns = columns | {"upos": [upos_feature.feature.int2str(tags) for tags in columns["upos"]]}
    trees: list[Tree] = []
    for number, row in enumerate(zip(*(columns[name] for name in TREE_COLUMNS), strict=True), start=1):
        here = f"{where}: sentence {number}"
        if len(set(map(len, row))) > 1:
            counts = ", ".join(f"{len(values)} {name}" for name, values in zip(TREE_COLUMNS, row, strict=True))
            raise InputError(f"{here}: expected as many of each, found {counts}")
        words = [word for word in zip(*row, strict=True) if word[2] not in _NO_HEAD]
        if not words:
            continue
        tokens, upos, heads, relations = (list(values) for values in zip(*words, strict=True))
        relations = [universal(relation or "") for relation in relations]
        for values, known, what in ((upos, UPOS, "part of speech"), (relations, known_relations, "relation")):
            if unknown := [value for value in values if value not in known]:
                raise InputError(f"{here}: unknown {what} {unknown[0]!r}; expected one of {', '.join(known)}")
        try:
            tree = Tree(tokens, upos, [int(head) for head in heads], relations)
        except ValueError as error:
            raise InputError(f"{here}: a head is not a number: {one_line(error)}") from error
        if found := fault(tree.tokens, tree.heads):
            raise InputError(f"{here}: {found[1]}")
        trees.append(tree)
    return trees
