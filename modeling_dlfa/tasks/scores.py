"""Pieces of which kinds make their scores, and the score of added-up counts."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support


def accuracy(predicted: Sequence, gold: Sequence) -> float:
    """Share of equal pairs, between 0 and 1."""
    return sum(p == g for p, g in zip(predicted, gold, strict=True)) / len(gold)


def span_scores(predicted: list[list[str]], gold: list[list[str]]) -> dict[str, float]:
    """Precision, recall and F1 of spans, micro-averaged, between 0 and 1, as seqeval's default mode reads them.

    Of entity tags that is the usual F1. Of parts of speech it is what XTREME reports as F1, and no accuracy: seqeval
    takes the first letter of a tag for a chunk prefix, so that neighbours with the same tag merge into one span, and
    CCONJ and SCONJ count as the same type (seqeval 1).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that UPOS are no entity tags, and that a score without any spans is 0
        scores = precision_recall_fscore_support(gold, predicted, average="micro")
    precision, recall, f1 = (np.asarray(value).item() for value in scores[:3])
    return {"precision": precision, "recall": recall, "f1": f1}


def span_counts(predicted: Sequence[str], gold: Sequence[str]) -> tuple[int, int, int]:
    """Spans of one sentence that are right, predicted, and there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `span_scores`
        found, there = set(get_entities(list(predicted))), set(get_entities(list(gold)))
    return len(found & there), len(found), len(there)


def score_of_counts(counts: np.ndarray) -> np.ndarray:
    """The reported score in percent of added-up counts (..., 3) -> (...): F1; for pairs and words that is accuracy."""
    counts = np.asarray(counts, dtype=float)
    total = counts[..., 1] + counts[..., 2]
    return np.divide(200 * counts[..., 0], total, out=np.zeros_like(total), where=total > 0)


def check_same_length(predicted: Sequence, gold: Sequence) -> None:
    """Refuse, with a ValueError, what is empty or differs in length."""
    if not len(gold):
        raise ValueError("nothing to score")
    if len(predicted) != len(gold):
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} references")


def check_same_words(predicted: Sequence[Sequence], gold: Sequence[Sequence]) -> None:
    """The same, sentence by sentence."""
    check_same_length(predicted, gold)
    if [len(words) for words in predicted] != [len(words) for words in gold]:
        raise ValueError("predictions and references differ in the number of words of a sentence")


def in_percent(scores: dict[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in scores.items()}


def flat(sentences: Sequence[Sequence]) -> list:
    """All words of all sentences."""
    return [word for words in sentences for word in words]


def most_frequent(values: Sequence[Any]) -> Any:
    """The most frequent value; of several the first seen."""
    return Counter(values).most_common(1)[0][0]
