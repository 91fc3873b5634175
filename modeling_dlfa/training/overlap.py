"""Rows of a user's own data that stand there twice: in the training data, or in what is scored with a model of it."""

from collections.abc import Iterator

from datasets import Dataset

from .data import RunData


COLUMNS = ["input_ids", "labels"]  # questions have none of the second: a context is in many rows


def repeated(data: RunData, max_length: int) -> list[str]:
    """What is to be said of rows that the training data have twice, or other data have too.

    Rows are the same if the encoder reads the same of them. Those that fill `max_length` may differ behind it, and are
    left out. Only of tasks from a user's files: benchmarks are what they are.
    """
    if data.task.files is None or not {*COLUMNS} <= {*data.train.column_names}:
        return []
    answers: dict[int, int] = {}
    again = otherwise = 0
    for row, answer in _rows(data.train, max_length):
        again += row in answers
        otherwise += answers.setdefault(row, answer) != answer
    said = []
    if again:
        differing = f", {otherwise:,} of them with another answer" if otherwise else ""
        said.append(f"training data: {again:,} of {len(data.train):,} rows repeat an earlier one{differing}")
    sets = {"development data": data.development.features}
    sets |= {f"scored data in {code}": one.features for code, one in data.evaluation.items()}
    for what, features in sets.items():
        if seen := sum(row in answers for row, _ in _rows(features, max_length)):
            said.append(f"{what}: {seen:,} of {len(features):,} rows are training data too, and say too much")
    return said


def _rows(features: Dataset, max_length: int) -> Iterator[tuple[int, int]]:
    """Of encoded rows, a hash of what the encoder reads and one of the answer."""
    for batch in features.select_columns(COLUMNS).iter(1000):
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):  # pyright: ignore
            length = max(map(len, ids)) if isinstance(ids[0], list) else len(ids)  # of choices, the longest
            if length < max_length:
                yield hash(repr(ids)), hash(repr(labels))
