"""What sets kinds apart that train nothing, with the defaults of those that train: a part of `Kind`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from datasets import Dataset

from ...errors import InputError


if TYPE_CHECKING:
    from ..reading import Reader
    from ..task import Task


class EncodedRows(Protocol):
    """Rows, and what the encoder reads of them, the longest first."""

    @property
    def rows(self) -> Dataset: ...
    @property
    def features(self) -> Dataset: ...


@dataclass(frozen=True)
class Found:
    """What a kind that trains nothing has found.

    Attributes:
        predictions: language -> answers in the shape of `Kind.references`.
        beside: what results and card say beside the scores, as JSON.
        files: name -> content of what else is left in the folder of the run.
    """

    predictions: dict[str, list]
    beside: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


class MayTrainNothing:
    """Of a kind that trains nothing, rows are read and compared as the encoder is.

    Attributes:
        trains: whether a model is trained. Where not, there are neither training nor development data, and the
            training language is the one that the others are compared with.
        compares: whether sentences are read by themselves and compared, so that a text may stand before each.
        tunes: whether something is set on development data of every language that is scored, where there are some.
        fusion: of a run that names none.
        pooling: of a run that names none; default: the model's own, see `training.model.pooling`.
        chance: what a score at chance level is no better than.
    """

    trains: ClassVar[bool] = True
    compares: ClassVar[bool] = False
    tunes: ClassVar[bool] = False
    fusion: ClassVar[str] = "aif"
    pooling: ClassVar[str | None] = None
    chance: ClassVar[str] = "the most frequent label"

    def fused_layer(self, depth: int) -> int | None:
        """k of a run that names none, in an encoder of so many layers; None: as `DLFAConfig` has it."""
        return None

    def files_of(self, task: "Task", path: Path, language: str) -> tuple[Path, ...]:
        """All files that `Kind.read` reads for a file."""
        return (path,)

    def first(self, rows: Dataset, count: int) -> Dataset:
        """The first so many rows."""
        return rows.select(range(min(count, len(rows))))

    def prefixed(self, task: "Task", rows: Dataset, prefix: str) -> Dataset:
        """The same rows with a text before each sentence."""
        raise InputError(f"--prefix {prefix!r}: {task.name} does not compare sentences by themselves")

    def search(
        self,
        task: "Task",
        reader: "Reader",
        sets: Mapping[str, EncodedRows],
        tuning: Mapping[str, EncodedRows],
    ) -> Found:
        """The answers of a kind that trains nothing, of all languages.

        Args:
            reader: makes vectors of encoded rows.
            sets: language -> what is scored.
            tuning: language -> development data of a kind that tunes, of the languages that have some.
        """
        raise NotImplementedError(f"{self!r} trains a model")

    def card_section(self, beside: Mapping[str, Any]) -> str:
        """What a model card says of `Found.beside`, in Markdown."""
        return ""
