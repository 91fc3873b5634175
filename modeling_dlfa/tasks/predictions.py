"""Predictions on disk: in the format that XTREME's evaluate.py reads and its leaderboard takes, trees in CoNLL-U.

`<folder>/<task>/test-<language>.tsv` holds one label name per line: one line per sentence pair, or one per word with a
blank line between sentences. Of a parsing task, `test-<language>.conllu` holds the words with heads and relations.
"""

from collections.abc import Sequence
from pathlib import Path

from ..files import write_text
from .task import FILE_PREFIXES, Task, check_split


def prediction_file(folder: str | Path, task: Task, language: str, split: str = "test") -> Path:
    """Path of a prediction file; development data get XTREME's prefix "dev"."""
    return Path(folder) / task.name / f"{FILE_PREFIXES[check_split(split)]}-{language}{task.kind.suffix}"


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
        predictions: label ids or names in the shape of `Kind.references`.
        tokens: the words of every sentence, for kinds that write them.
    """
    text = task.kind.prediction_text(task, task.kind.label_names(task, predictions), tokens)
    path = prediction_file(folder, task, language, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def read_predictions(path: str | Path, task: Task) -> list:
    """Read a prediction file back: label names in the shape of `Kind.references`.

    Raises:
        InputError: for a line that the task does not know.
    """
    return task.kind.read_predictions(task, Path(path))
