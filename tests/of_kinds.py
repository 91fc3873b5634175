"""What a task's kind does, as functions of the task."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from datasets import Dataset, Features
from transformers import PreTrainedTokenizerBase

from modeling_dlfa.tasks.encoding import LabelPiece
from modeling_dlfa.tasks.kinds import KINDS
from modeling_dlfa.tasks.registry import TASKS, XTREME_TASKS
from modeling_dlfa.tasks.task import HubDataset, Task


TRAINED = [name for name, task in TASKS.items() if task.kind.trains]
"""Built-in tasks that a model is trained for; `training/test_untrained.py` has the others."""

IN_FOLDER = [
    name for name in TRAINED if TASKS[name].folder in {*XTREME_TASKS, "uddep"} and not TASKS[name].kind.control
]
"""Those of them that `conftest.write_xtreme_folder` has data of, which its encoder can learn; what has no labels needs
a mask token (`training/test_masked_run.py`)."""

LABEL_COLUMNS = {kind: kind.label_column for kind in KINDS.values()}


def task_features(task: Task) -> Features:
    return task.kind.features(task)


def encode(
    task: Task,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    label_piece: LabelPiece = "character",
) -> Dataset:
    return task.kind.encode(task, rows, tokenizer, max_length, label_piece)


def data_collator(task: Task, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
    return task.kind.collator(tokenizer)


def score(task: Task, predicted: Sequence, gold: Sequence) -> dict[str, float]:
    return task.kind.score(task, predicted, gold)


def example_counts(task: Task, predicted: Sequence, gold: Sequence) -> np.ndarray:
    return task.kind.counts(task, predicted, gold)


def majority_predictions(task: Task, seen: Sequence, asked: Sequence | None = None) -> list:
    return task.kind.majority(task, seen, asked)


def label_names(task: Task, labels: Sequence) -> list:
    return task.kind.label_names(task, labels)


def hub_of(task: Task) -> HubDataset:
    assert task.hub is not None
    return task.hub
