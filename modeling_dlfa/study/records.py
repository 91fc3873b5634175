"""What a cell leaves for good: the results file of its run, and how many labels of every example were right."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..training.data import RunData
from ..training.results import RunResults
from ..xtreme.metrics import example_counts
from ..xtreme.predictions import prediction_file, read_predictions, write_bytes, write_text
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
    def of_run(cls, cell: Cell, folder: Path, data: RunData) -> "Record":
        """The record of a finished run from its folder and the data that it was scored on."""
        results = RunResults.load(folder)
        counts = {}
        for language, eval_set in data.evaluation.items():
            file = prediction_file(folder / "predictions", data.task, language, results.eval_split)
            counts[language] = example_counts(data.task, read_predictions(file, data.task), eval_set.references)
        return cls(cell, results, counts)

    def save(self, folder: Path) -> None:
        """Write the counts, then `<folder>/<cell>.json`: where that is, the record is complete.

        It is the run's results file with the cell's arguments as one more entry.
        """
        results, counts = _files(folder, self.cell)
        results.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(counts, self.packed_counts())
        values = {**asdict(self.results), "arguments": self.cell.arguments}
        write_text(results, json.dumps(values, indent=1, ensure_ascii=False) + "\n")

    def packed_counts(self) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{k: v.astype(_smallest(v)) for k, v in self.counts.items()})  # pyright: ignore
        return buffer.getvalue()

    @classmethod
    def load(cls, folder: Path, cell: Cell) -> "Record":
        """Read a record.

        Raises:
            InputError: a file is missing or damaged.
        """
        results, counts = _files(folder, cell)
        try:
            return cls(cell, RunResults.load(results), unpacked_counts(counts.read_bytes()))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{counts} does not hold the counts of a run: {error!r}") from error


def unpacked_counts(packed: bytes) -> dict[str, np.ndarray]:
    """language -> (N, 3) int64, of what `Record.packed_counts` gave."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return {language: arrays[language].astype(np.int64) for language in arrays.files}


def has_record(folder: Path, cell: Cell) -> bool:
    """Whether there is a record of the cell; one made with other arguments is none."""
    try:
        return json.loads(_files(folder, cell)[0].read_text(encoding="utf-8"))["arguments"] == cell.arguments
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_records(folder: Path, cells: Sequence[Cell]) -> list[Record]:
    """The records of those cells that have one, in the order of the cells."""
    return [Record.load(folder, cell) for cell in cells if has_record(folder, cell)]


def _files(folder: Path, cell: Cell) -> tuple[Path, Path]:
    return folder / f"{cell.name}.json", folder / f"{cell.name}.npz"


def _smallest(counts: np.ndarray) -> np.dtype:
    return np.min_scalar_type(int(counts.max(initial=0)))
