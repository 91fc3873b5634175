"""Nearest neighbours and mining, against references that compare everything with everything."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modeling_dlfa.tasks import neighbours
from modeling_dlfa.tasks.neighbours import best_threshold, mine, nearest, repeated


def vectors(count: int, seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    return one @ other.T / lengths


@pytest.mark.parametrize("blocks", [(1024, 32768), (5, 7), (1, 1)], ids=str)
@pytest.mark.parametrize("k", [1, 4, 50])
def test_nearest_is_exact_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch, blocks: tuple[int, int], k: int):
    monkeypatch.setattr(neighbours, "QUERIES", blocks[0])
    monkeypatch.setattr(neighbours, "INDEX", blocks[1])
    queries, index = vectors(23, 0), vectors(31, 1) * np.arange(1, 32)[:, None]  # length does not count
    similarities, places = nearest(queries, index, k)
    whole = cosines(queries, index)
    expected = np.argsort(-whole, axis=1)[:, :k]
    assert np.array_equal(places, expected) and places.shape == (23, min(k, 31))
    assert np.allclose(similarities, np.take_along_axis(whole, expected, axis=1), atol=1e-6)


def test_nearest_takes_16_bits():
    queries, index = vectors(20, 0), vectors(30, 1)
    half = nearest(queries.astype(np.float16), index.astype(np.float16), 1)[1]
    assert np.array_equal(half, nearest(queries, index, 1)[1])


_PEAK = """
import resource, sys
import numpy as np
from modeling_dlfa.tasks.neighbours import nearest
one, other = (np.random.default_rng(s).normal(size=(30_000, 16)).astype(np.float16) for s in (0, 1))
nearest(one[:50], other[:50])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nearest(one, other, 4)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss in kilobytes")
def test_nearest_never_holds_all_similarities():
    """30,000 x 30,000 of them would take 3,600 MB."""
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-c", _PEAK], env={"PYTHONPATH": root}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400


def reference(x: np.ndarray, y: np.ndarray, k: int = 4) -> list[tuple[int, int, float]]:
    """Ratio margins of all pairs; candidates of both sides; the best first, one to one."""
    whole = cosines(x, y)
    k_x, k_y = min(k, len(y)), min(k, len(x))
    mean_x = np.sort(whole, axis=1)[:, -k_x:].mean(axis=1)
    mean_y = np.sort(whole, axis=0)[-k_y:].mean(axis=0)
    margins = whole / ((mean_x[:, None] + mean_y[None]) / 2)
    candidates = set()
    for i in range(len(x)):
        near = np.argsort(-whole[i])[:k_x]
        candidates.add((i, int(near[margins[i, near].argmax()])))
    for j in range(len(y)):
        near = np.argsort(-whole[:, j])[:k_y]
        candidates.add((int(near[margins[near, j].argmax()]), j))
    found, left, right = [], set(), set()
    for i, j in sorted(candidates, key=lambda pair: -margins[pair]):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            found.append((i, j, float(margins[i, j])))
    return found


@pytest.mark.parametrize(("n", "m"), [(40, 40), (25, 60), (60, 25), (3, 2), (1, 1)])
def test_mining_is_that_of_the_reference(n: int, m: int):
    # All in one half of the space, as sentences' vectors are: a mean of cosines near 0 would be divided by.
    x, y = (abs(vectors(count, seed)) + 0.2 for count, seed in ((n, 0), (m, 1)))
    y[: min(n, m) // 2] = x[: min(n, m) // 2] + 0.01 * vectors(min(n, m) // 2, 2)
    pairs = mine(x, y)
    found = list(zip(pairs.foreign.tolist(), pairs.english.tolist()))
    expected = reference(x, y)
    assert found == [(i, j) for i, j, _ in expected]
    assert np.allclose(pairs.margins, [margin for *_, margin in expected], atol=1e-5)
    assert all((i, i) in found for i in range(min(n, m) // 2))


def test_the_threshold_has_the_best_f1_of_all():
    draw = np.random.default_rng(0)
    for _ in range(50):
        margins = np.sort(draw.random(12))[::-1]
        right = draw.random(12) < np.linspace(0.9, 0.1, 12)
        gold = int(right.sum()) + 3
        threshold, f1 = best_threshold(right, margins, gold)
        tries = [2 * right[margins >= one].sum() / ((margins >= one).sum() + gold) for one in margins]
        taken = margins >= threshold
        assert f1 == pytest.approx(max(tries, default=0))
        assert 2 * right[taken].sum() / (taken.sum() + gold) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("right", "margins", "gold", "expected"),
    [
        ([True, False], [2.0, 1.0], 1, (1.5, 1.0)),
        ([True], [2.0], 1, (2.0, 1.0)),
        ([False, True], [2.0, 1.0], 1, (1.0, 2 / 3)),
        ([False], [2.0], 1, (float("inf"), 0.0)),
        ([], [], 1, (float("inf"), 0.0)),
        ([False], [2.0], 0, (float("inf"), 0.0)),
    ],
)
def test_thresholds(right, margins, gold, expected):
    assert best_threshold(right, np.array(margins), gold) == pytest.approx(expected)


def test_repeated():
    assert repeated(["a", "b", "a", "c", "a"]) == {"a"} and repeated([]) == frozenset()
