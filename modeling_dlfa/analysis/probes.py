"""Linear probes: what can be read off states by a plane, against what it could learn by heart. They need scikit-learn.

Shapes: N rows, E size of a state, C classes.
"""

import warnings

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
