"""Linear probes: what can be read off states by a plane, against what it could learn by heart. They need scikit-learn.

Shapes: N rows, E size of a state, C classes.
"""

import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


# The same for every layer (our choice): states are brought to mean 0 and deviation 1, so that the penalty of the
# weights means the same in all.
PENALTY_INVERSE, ITERATIONS = 0.1, 100


def fitted(states: np.ndarray, labels: np.ndarray) -> Pipeline:
    """A multinomial logistic regression on standardised states (N, E); it draws no random numbers."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY_INVERSE, max_iter=ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is the same for all layers
        return probe.fit(states, labels)


def accuracy(probe: Pipeline, states: np.ndarray, labels: np.ndarray) -> float:
    """In percent."""
    return 100 * float((probe.predict(states) == labels).mean())


def control_labels(types: Sequence[str], labels: np.ndarray, seed: int) -> dict[str, int]:
    """A label for every type of word, drawn at random as often as the true ones are.

    Who fits these has learnt words by heart: the control task of Hewitt and Liang 2019, arXiv 1909.03368. How much
    better a probe does on the real task is its selectivity.

    Args:
        types: all words that will be asked for, in any number.
        labels: true labels, whose frequencies are kept.

    Returns:
        word -> label; the same seed gives every word the same one, whatever the order.
    """
    different = sorted(set(types))
    drawn = np.random.default_rng(seed).choice(labels, size=len(different))
    return dict(zip(different, drawn.tolist(), strict=True))


UNSURE = 0.01
"""Share of the uniform distribution that is mixed into a probe's, lest a label that it has not seen is impossible
(our choice)."""


def code_length(states: np.ndarray, labels: np.ndarray, classes: int, ends: Sequence[int]) -> float:
    """Bits per label of the prequential code of Voita and Titov 2020, arXiv 2003.12298, with linear probes.

    The first portion is coded uniformly, each other one by a probe of everything before it.

    Args:
        states, labels: (N, E) and (N,), in the order in which they are sent.
        classes: C, how many labels there may be.
        ends: of the portions, ascending; the last is N.
    """
    bits = ends[0] * float(np.log2(classes))
    for start, end in pairwise(ends):
        seen = labels[:start]
        if len(np.unique(seen)) < 2:
            bits += (end - start) * float(np.log2(classes))
            continue
        probe = fitted(states[:start], seen)
        probabilities = np.full((end - start, classes), UNSURE / classes)
        probabilities[:, probe.classes_] += (1 - UNSURE) * probe.predict_proba(states[start:end])
        bits -= float(np.log2(probabilities[np.arange(end - start), labels[start:end]]).sum())
    return bits / len(labels)
