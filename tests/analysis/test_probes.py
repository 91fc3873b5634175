"""Probes find what is planted in states, where it is planted, and nothing where there is none."""

import numpy as np
import pytest

from modeling_dlfa.analysis.meaning import centred, retrieved
from modeling_dlfa.analysis.probes import accuracy, code_length, control_labels, fitted


LAYERS, PLANTED, CLASSES, SIZE = 5, 3, 4, 16


@pytest.fixture(scope="module")
def planted() -> tuple[list[np.ndarray], np.ndarray]:
    """States of five layers, (N, E) each, and labels, which one layer alone tells; the last is rather large."""
    draw = np.random.default_rng(0)
    labels = draw.integers(CLASSES, size=600)
    layers = [draw.normal(size=(600, SIZE)) for _ in range(LAYERS)]
    layers[PLANTED] = layers[PLANTED] + 2 * np.eye(CLASSES, SIZE)[labels]
    layers[-1] = 100 * layers[-1] + 1000
    return [layer.astype(np.float32) for layer in layers], labels


def scores(planted) -> list[float]:
    layers, labels = planted
    return [accuracy(fitted(one[:400], labels[:400]), one[400:], labels[400:]) for one in layers]


def test_a_probe_finds_the_planted_layer_alone(planted):
    found = scores(planted)
    assert int(np.argmax(found)) == PLANTED and found[PLANTED] > 80
    assert all(abs(score - 100 / CLASSES) < 10 for place, score in enumerate(found) if place != PLANTED)


def test_a_probe_draws_nothing_and_scale_is_nothing_to_it(planted):
    layers, labels = planted
    one = layers[PLANTED]
    first = fitted(one, labels).predict(one)
    assert (fitted(one, labels).predict(one) == first).all()
    assert (fitted(5 * one + 3, labels).predict(5 * one + 3) == first).mean() > 0.99


def test_a_shorter_code_where_labels_can_be_read(planted):
    layers, labels = planted
    ends = [10, 50, 100, 200, 400, 600]
    bits = [code_length(one, labels, CLASSES, ends) for one in layers]
    assert int(np.argmin(bits)) == PLANTED and bits[PLANTED] < 1.2
    assert all(bits[place] > 1.9 for place in range(LAYERS) if place != PLANTED)  # uniform: 2


@pytest.mark.parametrize(("labels", "classes"), [([0] * 30, 4), ([0, 1] * 15, 2), ([0] * 20 + [3] * 10, 4)])
def test_a_code_is_finite_whatever_a_probe_has_not_seen(labels: list[int], classes: int):
    states = np.random.default_rng(0).normal(size=(30, 3))
    assert 0 < code_length(states, np.array(labels), classes, [2, 10, 30]) < 10


def test_control_labels_are_of_types_and_as_frequent_as_the_true_ones():
    words = [f"w{number}" for number in range(5000)]
    labels = np.array([0] * 70 + [1] * 30)
    drawn = control_labels(words, labels, 1)
    assert drawn == control_labels([*reversed(words), *words], labels, 1)
    assert drawn != control_labels(words, labels, 2)
    assert np.mean(list(drawn.values())) == pytest.approx(0.3, abs=0.03)


def test_what_is_learnt_by_heart_is_no_selectivity():
    """States that name the word fit random labels of its type as well as true ones; those of the class do not."""
    draw = np.random.default_rng(0)
    types = draw.integers(40, size=800)
    classes = types % 4
    control = control_labels([str(one) for one in range(40)], classes, 0)
    random = np.array([control[str(one)] for one in types])
    selectivity = {}
    for name, states in (("words", np.eye(40)[types]), ("classes", np.eye(4)[classes] + 0.1)):
        states = states + 0.1 * draw.normal(size=states.shape)
        real, false = (
            accuracy(fitted(states[:500], labels[:500]), states[500:], labels[500:]) for labels in (classes, random)
        )
        selectivity[name] = real - false
        assert real > 90
    assert selectivity["words"] < 5 and selectivity["classes"] > 40


# ---------------------------------------------------------------------------------------------------------------------
# Retrieval
# ---------------------------------------------------------------------------------------------------------------------


def test_retrieval_of_a_known_case():
    index = np.eye(4)
    assert retrieved(index, index) == 100
    assert retrieved(index[[1, 0, 2, 3]], index) == 50
    assert retrieved(-index, index) == 0


def test_centring_undoes_what_a_language_adds():
    draw = np.random.default_rng(0)
    meaning = draw.normal(size=(200, SIZE))
    english, foreign = (meaning + 0.3 * draw.normal(size=meaning.shape) for _ in range(2))
    shift = np.zeros(SIZE)
    shift[0] = 30
    foreign = foreign + shift
    asked, others = slice(0, 100), slice(100, 200)
    plain = retrieved(english[asked], foreign[asked])
    neutral = retrieved(centred(english[asked], english[others]), centred(foreign[asked], foreign[others]))
    assert plain < 90 and neutral > 95
