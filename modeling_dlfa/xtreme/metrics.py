"""The scores of the four tasks, equal to those of XTREME's evaluate.py on the same predictions.

`score` is what the training code calls. The same numbers, as fractions, come from an `evaluate` metric with one
configuration per task; it needs no network:

    evaluate.load(modeling_dlfa.xtreme.metrics.__file__, "udpos").compute(predictions=…, references=…)
"""

import warnings
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

# Absolute, because `evaluate.load` runs a copy of this file outside the package.
from modeling_dlfa.xtreme.tasks import Task, get_task


_DESCRIPTION = """
The scores of one XTREME task. xnli, pawsx: accuracy over sentence pairs. panx: precision, recall and F1 over entities.
udpos: accuracy over words, and the precision, recall and F1 that XTREME reports.
"""

_INPUTS = """
Args:
    predictions: label names, one per sentence pair, or for panx and udpos a list of them per sentence.
    references: the gold labels in the same shape.
Returns:
    xnli, pawsx: accuracy; panx: precision, recall, f1; udpos: accuracy, precision, recall, f1. All between 0 and 1.
"""

_CITATION = """
@inproceedings{hu2020xtreme,
    title = {{XTREME}: A Massively Multilingual Multi-task Benchmark for Evaluating Cross-lingual Generalization},
    author = {Hu, Junjie and Ruder, Sebastian and Siddhant, Aditya and Neubig, Graham and Firat, Orhan and Johnson, Melvin},
    booktitle = {Proceedings of ICML},
    year = {2020}
}
"""  # noqa: E501


class XtremeMetric(evaluate.Metric):
    """The scores of one task as an `evaluate` metric, between 0 and 1; the configuration is the task's name.

    Spans are read as seqeval's default mode reads them. On panx that is the usual entity F1. On udpos it is what
    XTREME reports as F1, and no accuracy: seqeval takes the first letter of a tag for a chunk prefix, so that
    neighbours with the same tag merge into one span, and CCONJ and SCONJ count as the same type (seqeval 1).
    """

    def _info(self) -> evaluate.MetricInfo:
        label: Any = datasets.Value("string")
        if get_task(self.config_name).kind == "tagging":
            label = datasets.List(label)
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": label, "references": label}),
        )

    def _compute(self, predictions: list, references: list) -> dict[str, float]:  # pyright: ignore
        task = get_task(self.config_name)
        if task.kind == "classification":
            return {"accuracy": _accuracy(predictions, references)}
        scores = _span_scores(predictions, references)
        if task.name == "udpos":
            scores = {"accuracy": _accuracy(_flat(predictions), _flat(references))} | scores
        return scores


def score(task: Task, predictions: Sequence, references: Sequence) -> dict[str, float]:
    """The scores of a task in one language, in percent; `task.metric` is the key of the reported one.

    Args:
        predictions: label ids or names, one per sentence pair, or a sequence of them per sentence.
        references: the gold labels in the same shape.

    Returns:
        xnli, pawsx: accuracy; panx: precision, recall, f1; udpos: accuracy, precision, recall, f1. `XtremeMetric`
        says what they mean.

    Raises:
        ValueError: where predictions and references differ in shape or are empty.
    """
    if not len(references):
        raise ValueError("nothing to score")
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    metric = XtremeMetric(task.name, keep_in_memory=True)
    scores = metric.compute(predictions=label_names(task, predictions), references=label_names(task, references))
    assert scores is not None
    return {name: 100 * value for name, value in scores.items()}


def example_counts(task: Task, predictions: Sequence, references: Sequence) -> np.ndarray:
    """What every sentence or pair adds to the reported score.

    Args:
        predictions, references: as for `score`.

    Returns:
        (N, 3) whole numbers for N sentences or pairs: spans that are right, predicted, and there; of a pair its one
        label. Counts can be added up over any selection of examples, which is what a bootstrap does;
        `score_of_counts` of all of them is the reported score.
    """
    predicted, gold = label_names(task, predictions), label_names(task, references)
    if task.kind == "classification":
        return np.array([(p == g, 1, 1) for p, g in zip(predicted, gold, strict=True)], dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `_span_scores`
        spans = [(set(get_entities(p)), set(get_entities(g))) for p, g in zip(predicted, gold, strict=True)]
    return np.array([(len(p & g), len(p), len(g)) for p, g in spans], dtype=np.int64)


def score_of_counts(counts: np.ndarray) -> np.ndarray:
    """The reported score in percent of added-up counts (..., 3) -> (...): F1, which for pairs is accuracy."""
    counts = np.asarray(counts, dtype=float)
    total = counts[..., 1] + counts[..., 2]
    return np.divide(200 * counts[..., 0], total, out=np.zeros_like(total), where=total > 0)


def label_names(task: Task, labels: Sequence) -> list:
    """Label ids as names, in the same nesting; names are left as they are."""
    if task.kind == "classification":
        return [_name(task, label) for label in labels]
    return [[_name(task, tag) for tag in tags] for tags in labels]


def _name(task: Task, label: Any) -> str:
    return label if isinstance(label, str) else task.labels[label]


def _flat(sentences: Sequence[Sequence[str]]) -> list[str]:
    return [tag for tags in sentences for tag in tags]


def _accuracy(predictions: Sequence[str], references: Sequence[str]) -> float:
    return sum(p == r for p, r in zip(predictions, references, strict=True)) / len(references)


def _span_scores(predictions: list[list[str]], references: list[list[str]]) -> dict[str, float]:
    if [len(tags) for tags in predictions] != [len(tags) for tags in references]:
        raise ValueError("predictions and references differ in the number of tags of a sentence")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that UPOS are no entity tags, and that a score without any spans is 0
        scores = precision_recall_fscore_support(references, predictions, average="micro")
    precision, recall, f1 = (np.asarray(value).item() for value in scores[:3])
    return {"precision": precision, "recall": recall, "f1": f1}
