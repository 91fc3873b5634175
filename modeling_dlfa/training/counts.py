"""What every scored row adds to the reported score, on disk: `predictions/<task>/test-counts.npz`."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import write_bytes
from ..tasks.task import FILE_PREFIXES, Task, check_split


def counts_file(folder: Path, task: Task, split: str) -> Path:
    """Path of the counts in a run's folder of predictions."""
    return folder / task.name / f"{FILE_PREFIXES[check_split(split)]}-counts.npz"


def packed(counts: Mapping[str, np.ndarray]) -> bytes:
    """language -> (N, 3), see `Kind.counts`, as an NPZ file of the smallest types that hold them."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v.astype(_smallest(v)) for k, v in counts.items()})  # pyright: ignore
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """What was packed: (N, 3) int64, or float64 where counts are fractions."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {
            code: arrays[code].astype(np.float64 if arrays[code].dtype.kind == "f" else np.int64)
            for code in arrays.files
        }


def write_counts(path: Path, counts: Mapping[str, np.ndarray]) -> None:
    """Write counts, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, packed(counts))


def read_counts(path: Path) -> dict[str, np.ndarray]:
    """The counts in a file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return unpacked(path.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} does not hold the counts of a run: {error!r}") from error


def _smallest(counts: np.ndarray) -> np.dtype:
    if counts.dtype.kind == "f":
        return np.dtype(np.float64)
    return np.min_scalar_type(int(counts.max(initial=0)))
