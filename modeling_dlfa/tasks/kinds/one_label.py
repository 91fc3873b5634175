"""What kinds with one answer a row share: pairs and choices."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from datasets import Dataset

from ..scores import accuracy, check_same_length, in_percent, most_frequent
from .base import Kind


if TYPE_CHECKING:
    from ..task import Task


class OneLabel(Kind):
    """One answer a row, in the column `label`; encoded rows are the rows, one for one. The score is accuracy."""

    label_column = "label"
    metrics = ("accuracy",)

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        ordered = np.empty_like(predictions)
        ordered[features["sentence"][:]] = predictions
        return ordered.tolist()

    def references(self, rows: Dataset) -> list:
        return rows["label"][:]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        check_same_length(predicted, gold)
        names = self.label_names(task, predicted), self.label_names(task, gold)
        return in_percent({"accuracy": accuracy(*names)})

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        names = zip(self.label_names(task, predicted), self.label_names(task, gold), strict=True)
        return np.array([(p == g, 1, 1) for p, g in names], dtype=np.int64)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        return [most_frequent(seen)] * len(seen if asked is None else asked)

    def check_layer_logits(self, task: "Task") -> None:
        """Logits are (B, C)."""
