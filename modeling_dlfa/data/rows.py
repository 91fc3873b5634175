"""What all sources share: the order of languages, and rows that are checked before anyone trains on them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import xxhash
from datasets import Dataset, Value

from ..errors import InputError
from ..files import content_hash, read_lines, text_hash
from ..tasks.columns import columns_read, is_pattern, made_of, translated
from ..tasks.conllu import parse_trees
from ..tasks.kinds.normalise import raw_trees
from ..tasks.task import HubDataset, Task


# From this many rows on, a single label for all of them is taken for a placeholder. Our choice: XTREME's public test
# files carry no labels, and copies with one dummy label in their place look like a model at chance level.
PLACEHOLDER_ROWS = 20


def ordered(task: Task, codes: Iterable[str]) -> list[str]:
    """Languages in the order of the task, others after them."""
    place = {language: index for index, language in enumerate(task.languages)}
    return sorted(set(codes), key=lambda code: (place.get(code, len(place)), code != task.train_language, code))


def check_language(
    task: Task, split: str, language: str, there: Sequence[str], where: str, expected: str | None = None
) -> None:
    """Refuse a language that a source does not have.

    Args:
        expected: the file that would hold it, where a source is of files.
    """
    if language not in there:
        file = "" if expected is None else f"; expected {expected}"
        raise InputError(
            f"{task.name} has no {split} data for {language!r} in {where}: there is {', '.join(there) or 'none'}{file}"
        )


def read_file(task: Task, path: Path, language: str) -> Dataset:
    """The rows of a file.

    Raises:
        InputError: with file and line.
    """
    if task.rung is not None:
        columns = task.kind.from_trees(task, parse_trees(read_lines(path), str(path)))
    else:
        columns = task.kind.read(task, path, language)
    return build(task, columns, str(path))


def build(task: Task, columns: dict[str, list], where: str) -> Dataset:
    """Rows of columns in the shape of the task's kind.

    Raises:
        InputError: there is no row, or all labels are the same.
    """
    if not columns[task.kind.label_column]:
        raise InputError(f"{where}: no data")
    labels = task.kind.labels_of(columns)
    many = len(columns[task.kind.label_column]) >= PLACEHOLDER_ROWS
    if many and len(set(labels)) == 1 < task.kind.different_answers(task, columns):
        label = task.labels[labels[0]] if task.labels else labels[0]
        raise InputError(
            f"{where}: every label is {label!r}, which looks like a placeholder for hidden labels; "
            "labelled data are needed"
        )
    return Dataset.from_dict(columns, features=task.kind.features(task))


def file_hash(task: Task, path: Path, language: str) -> str:
    """Hash of the content of all that `read_file` reads for a file, 16 digits.

    Raises:
        InputError: it cannot be read.
    """
    return joint_hash([content_hash(one) for one in task.kind.files_of(task, path, language)])


def joint_hash(hashes: Sequence[str]) -> str:
    """One hash for several, 16 digits; a single one stands for itself."""
    return hashes[0] if len(hashes) == 1 else text_hash(" ".join(hashes))


def rows_hash(rows: Dataset) -> str:
    """Hash of the values of a data set, 16 digits; how it is stored does not matter."""
    digest = xxhash.xxh3_64()
    table: Any = rows.with_format("arrow")[:]
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(name.encode())
        for block in range(0, len(column), 10_000):
            values = column[block : block + 10_000].to_pylist()
            digest.update(json.dumps(values, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def normalise(task: Task, raw: Dataset, language: str, where: str, hub: HubDataset | None = None) -> Dataset:
    """Bring a data set of other columns and label types into the common shape.

    Sentences without tokens are dropped, and the language prefixes of raw WikiANN tokens ("de:Haus") are removed. Of
    trees, what has no head (multiword ranges and empty nodes, which the Hub's conversion keeps) is dropped.

    Args:
        where: how error messages name the data set.
        hub: says which columns ours are, or what they are made of; default: they are called as ours.

    Raises:
        InputError: for missing columns, unknown or missing labels, sentences with more or fewer tags than tokens, and
            heads that are no tree with one root.
    """
    columns_of = {ours: hub.columns[ours] if hub is not None else ours for ours in task.kind.raw_columns(task)}
    names = list(dict.fromkeys(name for column in columns_of.values() for name in columns_read(column)))
    if absent := [name for name in names if name not in raw.column_names]:
        raise InputError(f"{where}: no column {absent[0]!r}; found {', '.join(raw.column_names)}")
    raw = raw.select_columns(names)
    if hub is not None and hub.drops_unlabelled:
        raw = _labelled(raw, str(columns_of[task.kind.label_column]), where)
    values, words = raw[:], hub.words if hub is not None else {}
    made = [column for column in columns_of.values() if is_pattern(column)]
    rows = [translated(row, words) for row in raw.to_list()] if made else []
    columns: dict[str, list] = {
        ours: [made_of(column, row, where) for row in rows] if is_pattern(column) else values[str(column)]
        for ours, column in columns_of.items()
    }
    text = Value("string")
    features = {ours: text if is_pattern(column) else raw.features[str(column)] for ours, column in columns_of.items()}
    if task.rung is not None:
        return build(task, task.kind.from_trees(task, raw_trees(columns, features["upos"], where)), where)
    return build(task, task.kind.normalise(task, columns, features, language, where), where)


def _labelled(raw: Dataset, column: str, where: str) -> Dataset:
    """The rows that have a label."""
    found = [place for place, label in enumerate(raw[column][:]) if label not in (None, -1, "")]
    if not found:
        raise InputError(f"{where}: no row has a label")
    return raw if len(found) == len(raw) else raw.select(found)
