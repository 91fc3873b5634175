"""Predictions on disk: in the format that XTREME's evaluate.py reads and its leaderboard takes, trees in CoNLL-U.

`<folder>/<task>/test-<language>.tsv` holds one label name per line: one line per sentence pair, or one per word with a
blank line between sentences. Of a parsing task, `test-<language>.conllu` holds the words with heads and relations.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .conllu import format_trees, parse_trees
from .metrics import label_names
from .sources import FILE_PREFIXES, read_lines
from .tasks import Task, check_split


def prediction_file(folder: str | Path, task: Task, language: str, split: str = "test") -> Path:
    """Path of a prediction file; development data get XTREME's prefix "dev"."""
    suffix = ".conllu" if task.kind == "parsing" else ".tsv"
    return Path(folder) / task.name / f"{FILE_PREFIXES[check_split(split)]}-{language}{suffix}"


def write_predictions(
    folder: str | Path,
    task: Task,
    language: str,
    predictions: Sequence,
    split: str = "test",
    tokens: Sequence[Sequence[str]] | None = None,
) -> Path:
    """Write the predictions of a task in one language and return the file's path.

    Args:
        predictions: label ids or names, one per sentence pair, or a sequence of them per sentence; for parsing
            (head, relation id or name).
        tokens: the words of every sentence; read, and needed, for parsing only.
    """
    names = label_names(task, predictions)
    if task.kind == "parsing":
        if tokens is None:
            raise ValueError(f"predictions of {task.name} are written with the words of the sentences: give tokens")
        text = format_trees(tokens, names)
    elif task.kind == "tagging":
        if not all(names):
            raise ValueError("a sentence without tags cannot be written")
        text = "\n\n".join("\n".join(tags) for tags in names) + "\n"
    else:
        text = "\n".join(names) + "\n"
    path = prediction_file(folder, task, language, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def read_predictions(path: str | Path, task: Task) -> list:
    """Read a prediction file back: label names, nested by sentence for tagging; for parsing (head, relation name).

    Raises:
        InputError: for a line that is none of the task's labels; for parsing as `conllu.parse_trees`.
    """
    if task.kind == "parsing":
        trees = parse_trees(read_lines(Path(path)), str(path), relations=task.labels, upos=("_",))
        return [list(zip(tree.heads, tree.relations, strict=True)) for tree in trees]
    pairs = task.kind == "classification"
    labels: list[str] = []
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        label = line.strip()
        if not label and not pairs:
            sentences.append([])
        elif label not in task.labels:
            raise InputError(f"{path}:{number}: expected one of {', '.join(task.labels)}, found {label!r}")
        else:
            labels.append(label)
            sentences[-1].append(label)
    return labels if pairs else [tags for tags in sentences if tags]


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under a temporary name beside it first."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
