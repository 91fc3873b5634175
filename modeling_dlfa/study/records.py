"""What a cell leaves for good: the results file of its run, and how many labels of every example were right."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_text
from ..privacy import without_paths
from ..training.counts import counts_file, read_counts, write_counts
from ..training.fingerprints import ENCODER, GLOBAL_BATCH
from ..training.noted import as_noted, first_difference, read_noted
from ..training.results import RunResults
from .spec import Cell


@dataclass(frozen=True)
class Record:
    """A finished cell.

    Attributes:
        cell: which.
        results: its results file.
        counts: language -> (N, 3) whole numbers for N sentences or pairs: labels (pairs, spans) that are right, that
            were predicted, and that are there. `metrics.score_of_counts` makes the reported score of their sums.
    """

    cell: Cell
    results: RunResults
    counts: dict[str, np.ndarray]

    @classmethod
    def of_run(cls, cell: Cell, folder: Path) -> "Record":
        """The record of a finished run from its folder."""
        results = RunResults(**without_paths(RunResults.load(folder).as_dict()))  # a record is made to be shared
        results = replace(results, used={**cell.used, **results.used})  # what its stages used too
        file = counts_file(folder / "predictions", results.of_task, results.eval_split)
        return cls(cell, results, read_counts(file))

    def save(self, folder: Path) -> None:
        """Write the counts, then `<folder>/<cell>.json`: where that is, the record is complete.

        It is the run's results file with the cell's settings as one more entry.
        """
        results, counts = _files(folder, self.cell)
        results.parent.mkdir(parents=True, exist_ok=True)
        write_counts(counts, self.counts)
        values = {**self.results.as_dict(), "settings": as_noted(self.cell.settings)}
        write_text(results, json.dumps(values, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path, cell: Cell) -> "Record":
        """Read a record.

        Raises:
            InputError: a file is missing or damaged.
        """
        results, counts = _files(folder, cell)
        return cls(cell, RunResults.load(results), read_counts(counts))


def has_record(folder: Path, cell: Cell) -> bool:
    """Whether there is a record of the cell; one of other settings, data or another encoder is none."""
    return read_noted(_files(folder, cell)[0], cell.settings, cell.used) is not None


def load_records(folder: Path, cells: Sequence[Cell]) -> list[Record]:
    """The records of those cells that have one, in the order of the cells.

    Raises:
        InputError: a damaged file, or records that cannot be compared.
    """
    records = [Record.load(folder, cell) for cell in cells if has_record(folder, cell)]
    check_comparable(records)
    return records


def check_comparable(records: Sequence[Record]) -> None:
    """Refuse records of the same task and encoder that were made with other data, or another encoder of that name.

    Raises:
        InputError: naming two records and the first difference.
    """
    first: dict[tuple[Any, ...], tuple[Record, dict[str, Any]]] = {}
    for record in records:
        settings, used = record.cell.settings, record.results.used
        of_encoder = {name: used[name] for name in ENCODER if name in used}
        of_data = {name: value for name, value in used.items() if name not in (*ENCODER, GLOBAL_BATCH)}
        groups: list[tuple[dict[str, Any], tuple[str, ...]]]
        groups = [(of_data, ("task", "data", "train_language", "eval_split"))]
        if not record.results.intermediate:  # what stages make of an encoder differs from run to run
            groups.append((of_encoder, ("model_name_or_path", "model_revision")))
        for now, names in groups:
            other, before = first.setdefault((names, *map(settings.get, names)), (record, now))
            if difference := first_difference(before, now):
                what, earlier, later = difference
                raise InputError(
                    f"{other.cell.name} and {record.cell.name} cannot be compared: {what} {earlier}, now {later}; run "
                    "the study again"
                )


def _files(folder: Path, cell: Cell) -> tuple[Path, Path]:
    return folder / f"{cell.name}.json", folder / f"{cell.name}.npz"
