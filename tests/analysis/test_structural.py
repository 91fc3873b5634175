"""The structural probe finds trees in distances, and no more than neighbours where there are none."""

import numpy as np
import pytest
import torch

from modeling_dlfa.analysis.structural import Arcs, StructuralProbe, neighbours_attachment


def tree(words: int, draw: np.random.Generator) -> np.ndarray:
    """Heads: every word but the first hangs on one before it."""
    return np.array([0, *(int(draw.integers(1, word + 1)) for word in range(1, words))])


def sentences(count: int, planted: bool, seed: int) -> list[Arcs]:
    """A word is its parent and a step in a direction of its own, so that squared distances are those of the tree."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        heads = tree(int(draw.integers(3, 10)), draw)
        states = np.zeros((len(heads), 16))
        for word, head in enumerate(heads):
            states[word] = states[head - 1] if head else 0
            states[word, word] += 1
        states = states if planted else draw.normal(size=states.shape)
        made.append(Arcs(torch.from_numpy(states + 0.02 * draw.normal(size=states.shape)).half(), heads))
    return made


def test_distances_and_edges_of_a_known_tree():
    one = Arcs(torch.zeros(4, 2), np.array([2, 0, 2, 3]))
    assert one.edges == {(0, 1), (1, 2), (2, 3)}
    assert one.distances.tolist() == [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]
    assert neighbours_attachment([one]) == 100
    assert neighbours_attachment([Arcs(torch.zeros(3, 2), np.array([3, 1, 0]))]) == 50


@pytest.mark.parametrize("planted", [True, False])
def test_trees_are_found_where_they_are(planted: bool):
    probe = StructuralProbe(sentences(300, planted, 0), seed=0)
    asked = sentences(60, planted, 1)
    found = probe.attachment(asked)
    if planted:
        assert found > 85 > neighbours_attachment(asked) + 20
    else:
        assert found < 50


def test_a_seed_decides():
    learnt, asked = sentences(40, True, 0), sentences(10, True, 1)[0]
    first = StructuralProbe(learnt, seed=1)
    assert first.edges(asked.states) == StructuralProbe(learnt, seed=1).edges(asked.states)
    assert not torch.equal(first.map, StructuralProbe(learnt, seed=2).map)


def test_words_that_fall_together_are_joined_all_the_same():
    probe = StructuralProbe(sentences(20, True, 0), seed=0)
    assert len(probe.edges(torch.zeros(5, 16))) == 4
