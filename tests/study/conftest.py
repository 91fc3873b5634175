"""Shared by the tests of studies: records made from scores, without any training."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_dlfa.study.records import Record
from modeling_dlfa.study.spec import Cell, StudySpec
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.scores import score_of_counts
from modeling_dlfa.training.results import RunResults, averages


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., StudySpec]:
    """make_spec(**entries): a study of xnli, baseline and DLFA with layers 0, 4 and 8, seeds 1 and 2."""

    def make(**entries: Any) -> StudySpec:
        values = {
            "name": "demo",
            "tasks": {"xnli": {}},
            "models": {"dlfa": {"fusion": "aif", "fusion_layer": [0, 4, 8]}},
            "seeds": [1, 2],
            "output_dir": Path("unused"),
        }
        return StudySpec(**{**values, **entries})

    return make


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """make_record(cell, scores, development, examples, **changes): a record with these scores.

    Scores are in percent; of 200 examples (default) they are kept to half a point. Instead of a score a language may
    have counts (N, 3). `changes` are entries of the results file.
    """

    def make(
        cell: Cell,
        scores: Mapping[str, float | np.ndarray],
        development: float = 90.0,
        examples: int = 200,
        **changes: Any,
    ) -> Record:
        counts = {code: _counts(value, examples) for code, value in scores.items()}
        exact = {code: float(score_of_counts(array.sum(axis=0))) for code, array in counts.items()}
        metric = get_task(cell.task).metric
        values = {
            "task": cell.task,
            "eval_split": "test",
            "metric": metric,
            "scores": exact,
            **averages(exact, "en"),
            "all_metrics": {code: {metric: score} for code, score in exact.items()},
            "support": {code: len(array) for code, array in counts.items()},
            "chance_level": [],
            "development_score": development,
            "encoder": cell.encoder,
            "fusion": cell.model.fusion,
            "fusion_layer": cell.model.fusion_layer,
            "model_config": {},
            "seed": cell.seed,
            "train_language": "en",
            "train_samples": 1000,
            "train_runtime": 90.0,
            "training": {},
            "data": "sample",
            "versions": {"python": "3.11.7", "torch": "2.13.0"},
        }
        return Record(cell, RunResults(**{**values, **changes}), counts)

    return make


@pytest.fixture(scope="session")
def make_records(make_record) -> Callable[..., list[Record]]:
    """make_records(spec, scores, development): records of all cells whose functions of the cell give scores."""

    def make(
        spec: StudySpec,
        scores: Callable[[Cell], Mapping[str, float | np.ndarray] | None],
        development: Callable[[Cell], float] = lambda cell: 90.0,
        **changes: Any,
    ) -> list[Record]:
        given: Sequence[tuple[Cell, Any]] = [(cell, scores(cell)) for cell in spec.cells]
        return [make_record(cell, value, development(cell), **changes) for cell, value in given if value is not None]

    return make


def _counts(value: float | np.ndarray, examples: int) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value.astype(np.int64)
    right = np.arange(examples) < round(value / 100 * examples)
    return np.stack([right, np.ones(examples), np.ones(examples)], axis=1).astype(np.int64)
