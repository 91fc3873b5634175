"""The scores of the tasks: equal to those of XTREME's evaluate.py and, of parsing, of the CoNLL 2018 shared task.

`score` is what the training code calls. The same numbers, as fractions, come from an `evaluate` metric with one
configuration per task; it needs no network:

    evaluate.load(modeling_dlfa.xtreme.metrics.__file__, "udpos").compute(predictions=…, references=…)
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

# Absolute, because `evaluate.load` runs a copy of this file outside the package.
from modeling_dlfa.xtreme.tasks import Task, get_task
from modeling_dlfa.xtreme.trees import universal


_DESCRIPTION = """
The scores of one task. xnli, pawsx: accuracy over sentence pairs. panx: precision, recall and F1 over entities.
udpos: accuracy over words, and the precision, recall and F1 that XTREME reports. Parsing: unlabelled and labelled
attachment score over words; the tagging tasks made from trees: accuracy over words.
"""

_INPUTS = """
Args:
    predictions: label names, one per sentence pair, or for tagging a list of them per sentence, or for parsing a list
        of {"head", "relation"} per sentence.
    references: the gold labels in the same shape.
Returns:
    xnli, pawsx: accuracy; panx: precision, recall, f1; udpos: accuracy, precision, recall, f1; the other tagging
    tasks: accuracy; uddep: uas, las; uddep-arcs: uas. All between 0 and 1.
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

    Parsing: the share of words with the right head (UAS), and with the right head and relation (LAS), as the CoNLL
    2018 shared task counts them where words are given: subtypes of relations do not count, punctuation does.
    """

    def _info(self) -> evaluate.MetricInfo:
        label: Any = datasets.Value("string")
        kind = get_task(self.config_name).kind
        if kind == "parsing":
            label = {"head": datasets.Value("int64"), "relation": label}
        if kind != "classification":
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
        if [len(words) for words in predictions] != [len(words) for words in references]:
            raise ValueError("predictions and references differ in the number of words of a sentence")
        if task.kind == "parsing":
            return _attachment_scores(task, _flat(predictions), _flat(references))
        accuracy = {} if task.name == "panx" else {"accuracy": _accuracy(_flat(predictions), _flat(references))}
        return accuracy if task.metric == "accuracy" else accuracy | _span_scores(predictions, references)


def score(task: Task, predictions: Sequence, references: Sequence) -> dict[str, float]:
    """The scores of a task in one language, in percent; `task.metric` is the key of the reported one.

    Args:
        predictions: label ids or names, one per sentence pair, or a sequence of them per sentence; for parsing
            (head, relation id or name).
        references: the gold labels in the same shape.

    Returns:
        xnli, pawsx: accuracy; panx: precision, recall, f1; udpos: accuracy, precision, recall, f1; the other tagging
        tasks: accuracy; uddep: uas, las; uddep-arcs: uas. `XtremeMetric` says what they mean.

    Raises:
        ValueError: where predictions and references differ in shape or are empty.
    """
    if not len(references):
        raise ValueError("nothing to score")
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    metric = XtremeMetric(task.name, keep_in_memory=True)
    scores = metric.compute(predictions=_for_metric(task, predictions), references=_for_metric(task, references))
    assert scores is not None
    return {name: 100 * value for name, value in scores.items()}


def example_counts(task: Task, predictions: Sequence, references: Sequence) -> np.ndarray:
    """What every sentence or pair adds to the reported score.

    Args:
        predictions, references: as for `score`.

    Returns:
        (N, 3) whole numbers for N sentences or pairs: spans that are right, predicted, and there; of a pair its one
        label, of tasks that report a share of words the words. Counts can be added up over any selection of examples,
        which is what a bootstrap does; `score_of_counts` of all of them is the reported score.
    """
    predicted, gold = label_names(task, predictions), label_names(task, references)
    if task.kind == "classification":
        return np.array([(p == g, 1, 1) for p, g in zip(predicted, gold, strict=True)], dtype=np.int64)
    if task.metric != "f1":
        reported = _without_relations if task.metric == "uas" else list
        words = [(reported(p), reported(g)) for p, g in zip(predicted, gold, strict=True)]
        right = [sum(a == b for a, b in zip(p, g, strict=True)) for p, g in words]
        return np.array([(n, len(p), len(g)) for n, (p, g) in zip(right, words, strict=True)], dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `_span_scores`
        spans = [(set(get_entities(p)), set(get_entities(g))) for p, g in zip(predicted, gold, strict=True)]
    return np.array([(len(p & g), len(p), len(g)) for p, g in spans], dtype=np.int64)


def score_of_counts(counts: np.ndarray) -> np.ndarray:
    """The reported score in percent of added-up counts (..., 3) -> (...): F1; for pairs and words that is accuracy."""
    counts = np.asarray(counts, dtype=float)
    total = counts[..., 1] + counts[..., 2]
    return np.divide(200 * counts[..., 0], total, out=np.zeros_like(total), where=total > 0)


def majority_predictions(task: Task, seen: Sequence, asked: Sequence | None = None) -> list:
    """Always the most frequent answer: what a model has to beat.

    Of pairs and words the most frequent label. Of parsing (our choice), every word is attached at the most frequent
    signed distance, or to the root where that falls outside the sentence, with the relation that is most frequent at
    that distance. At a distance of 1 either way, which is the usual one, that is a tree.

    Args:
        seen: gold label ids, in the shape of `score`, that the answer is taken from.
        asked: sentences or pairs in the same shape that it is wanted for, without it `seen`; only lengths are read.

    Returns:
        Label ids in the shape of `asked`.
    """
    asked = seen if asked is None else asked
    if task.kind == "classification":
        return [_most_frequent(seen)] * len(asked)
    if task.kind == "tagging":
        tag = _most_frequent(_flat(seen))
        return [[tag] * len(words) for words in asked]
    arcs = [(head - word, relation) for words in seen for word, (head, relation) in enumerate(words, start=1) if head]
    if not arcs:  # sentences of one word only
        arcs = [(-1, relation) for words in seen for _, relation in words]
    distance = _most_frequent([distance for distance, _ in arcs])
    relation = _most_frequent([relation for at, relation in arcs if at == distance])
    return [
        [(word + distance if 1 <= word + distance <= len(words) else 0, relation) for word in range(1, len(words) + 1)]
        for words in asked
    ]


def label_names(task: Task, labels: Sequence) -> list:
    """Label ids as names, in the same nesting; names are left as they are. Of parsing, relations are universal."""
    if task.kind == "classification":
        return [_name(task, label) for label in labels]
    if task.kind == "parsing":
        return [[(int(head), universal(_name(task, relation))) for head, relation in words] for words in labels]
    return [[_name(task, tag) for tag in tags] for tags in labels]


def _name(task: Task, label: Any) -> str:
    return label if isinstance(label, str) else task.labels[label]


def _for_metric(task: Task, labels: Sequence) -> list:
    names = label_names(task, labels)
    if task.kind != "parsing":
        return names
    return [[{"head": head, "relation": relation} for head, relation in words] for words in names]


def _flat(sentences: Sequence[Sequence]) -> list:
    return [word for words in sentences for word in words]


def _most_frequent(values: Sequence[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def _without_relations(words: Sequence[tuple[int, str]]) -> list[int]:
    return [head for head, _ in words]


def _attachment_scores(task: Task, predictions: list[dict], references: list[dict]) -> dict[str, float]:
    uas = _accuracy([word["head"] for word in predictions], [word["head"] for word in references])
    if task.metric == "uas":
        return {"uas": uas}
    labelled = [[(word["head"], universal(word["relation"])) for word in words] for words in (predictions, references)]
    return {"uas": uas, "las": _accuracy(*labelled)}


def _accuracy(predictions: Sequence, references: Sequence) -> float:
    return sum(p == r for p, r in zip(predictions, references, strict=True)) / len(references)


def _span_scores(predictions: list[list[str]], references: list[list[str]]) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that UPOS are no entity tags, and that a score without any spans is 0
        scores = precision_recall_fscore_support(references, predictions, average="micro")
    precision, recall, f1 = (np.asarray(value).item() for value in scores[:3])
    return {"precision": precision, "recall": recall, "f1": f1}
