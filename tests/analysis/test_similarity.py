"""Similarities of languages that are known, and p-values that are what they say."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from modeling_dlfa.analysis.permutation import Blocks, correlation_p, families_p, rank_correlation, within_less_between
from modeling_dlfa.analysis.relatives import alike, branch, curves, family, in_order, kinship, tree
from modeling_dlfa.analysis.similarity import alignment, mean_cosine


DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(size=(80, 12)) * np.arange(1, 13)
ROTATION = np.linalg.qr(DRAW.normal(size=(12, 12)))[0]


@pytest.mark.parametrize(
    "same",
    [
        lambda rows: rows @ ROTATION,
        lambda rows: 7.5 * rows,
        lambda rows: rows + 100,
        lambda rows: np.hstack([rows, np.zeros((80, 5))]),
        lambda rows: (0.1 * rows @ ROTATION - 3).astype(np.float32),
    ],
    ids=["turned", "scaled", "moved", "wider", "all at once, in 32 bits"],
)
def test_cka_sees_what_is_the_same(same):
    """As long as the widths are the same; of others, pairwise."""
    other = same(VECTORS)
    width = max(VECTORS.shape[1], other.shape[1])
    both = [np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (VECTORS, other)]
    found = alignment(both)
    assert np.allclose(found, 1, atol=1e-4)


def test_cka_is_nothing_where_nothing_is_common():
    """The usual, biased estimate would be about 0.9 here."""
    draw = np.random.default_rng(1)
    found = alignment([draw.normal(size=(40, 384)) for _ in range(6)])
    assert np.allclose(np.diag(found), 1) and np.abs(found - np.eye(6)).max() < 0.12
    one, other = np.eye(4)[[0, 1, 2, 3] * 10], np.eye(4)[[0, 0, 0, 0] * 10]
    assert np.isnan(alignment([one, other])[0, 1])


def test_cka_is_that_of_the_definition():
    one, other = VECTORS, VECTORS[:, :3] @ DRAW.normal(size=(3, 12)) + DRAW.normal(size=VECTORS.shape)

    def hsic(k, l):  # noqa: E741
        n = len(k)
        k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
        rest = k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ l).sum()
        return (np.trace(k @ l) + rest) / (n * (n - 3))

    k, l = one @ one.T, other @ other.T  # noqa: E741
    assert alignment([one, other])[0, 1] == pytest.approx(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))


def test_cka_takes_the_kernels_once():
    vectors = [np.random.default_rng(2).normal(size=(400, 2)) for _ in range(8)]
    tracemalloc.start()
    alignment(vectors)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.6 * 8 * 400**2 * 8


def test_cosine_of_means():
    rows = np.array([[1.0, 1.0], [3.0, 1.0]])
    found = mean_cosine([rows, 2 * rows, rows[:, ::-1]])
    assert found[0, 1] == pytest.approx(1) and found[0, 2] == pytest.approx(0.8)
    shifted = [rows + 1000, rows[:, ::-1] + 1000, rows + [1000, 1000]]
    assert mean_cosine(shifted).min() > 0.999
    assert mean_cosine(shifted, around=True)[0, 1] == pytest.approx(-1)


# ---------------------------------------------------------------------------------------------------------------------
# Families
# ---------------------------------------------------------------------------------------------------------------------

LANGUAGES = ["en", "de", "nl", "es", "fr", "it", "bg", "ru", "fi", "et", "hu", "tr", "zh"]


def planted(spread: float) -> np.ndarray:
    """Vectors of languages, one after the other, whose means are those of their branches and some luck."""
    draw = np.random.default_rng(3)
    of_branch = {name: draw.normal(size=20) for name in sorted({branch(one) for one in LANGUAGES})}
    meaning = draw.normal(size=(30, 20))
    return np.concatenate([meaning + 3 * of_branch[branch(one)] + spread * draw.normal(size=20) for one in LANGUAGES])


def test_families_that_are_planted_are_found():
    found = alike({0: planted(0.5), 1: planted(50)}, LANGUAGES, 2)
    kin, luck = (kinship(found.whole["cosine_around"][layer], LANGUAGES) for layer in (0, 1))
    assert kin.p_value < 0.01 and kin.nearest == kin.with_relatives == 11 and kin.rand > 0.9
    assert luck.p_value > 0.05 and luck.nearest < 7 and luck.rand < 0.4
    by_name = {measure.name: measure for measure in curves(found, ["cosine_around"])}
    assert set(by_name) == {"cosine_around_branch", "cosine_around_family", "cosine_around_others"}
    apart = np.array(by_name["cosine_around_branch"].values[0]) - by_name["cosine_around_others"].values[0]
    assert (apart > 0.7).all() and len(apart) == 2


def test_families_of_languages():
    assert (branch("de"), family("de"), branch("tr"), family("xx")) == ("IE: Germanic", "IE", "Turkic", "xx")
    assert in_order(["zh", "xx", "de", "en"]) == ["en", "de", "zh", "xx"]


def test_a_tree_joins_the_nearest_first():
    similarity = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    joined = tree(similarity)
    assert set(joined[0, :2]) == {0, 1} and joined[:, 2] == pytest.approx([0.1, 0.85])


def test_without_relatives_there_is_nothing_to_say():
    found = kinship(np.eye(3), ["en", "tr", "zh"])
    assert np.isnan(found.apart) and np.isnan(found.p_value) and found.with_relatives == 0


# ---------------------------------------------------------------------------------------------------------------------
# p-values
# ---------------------------------------------------------------------------------------------------------------------

BLOCKS = ["a"] * 5 + ["b"] * 3 + ["c"] * 3 + list("defghi")
PATHS = [(block,) for block in BLOCKS]


def test_the_rank_correlation_is_spearmans():
    first, second = DRAW.normal(size=20), DRAW.integers(5, size=20)
    assert rank_correlation(first, second) == pytest.approx(float(np.asarray(spearmanr(first, second))[0]))
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_p_values_of_nothing_are_uniform():
    draw = np.random.default_rng(5)
    size = len(BLOCKS)
    found = [correlation_p(draw.normal(size=size), draw.normal(size=size), PATHS, seed, 99) for seed in range(200)]
    assert kstest(found, "uniform").pvalue > 0.01
    similarities = [np.atleast_2d(np.corrcoef(draw.normal(size=(size, 30)))) for _ in range(150)]
    found = [families_p(one, BLOCKS, seed, 99) for seed, one in enumerate(similarities)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_languages_of_a_family_are_not_so_many_observations():
    """Where families differ in both and the two have nothing to do with each other, blocks keep what is promised."""
    draw = np.random.default_rng(6)
    names = sorted(set(BLOCKS))

    def by_family() -> np.ndarray:
        effect = dict(zip(names, 2 * draw.normal(size=len(names))))
        return np.array([effect[block] for block in BLOCKS]) + 0.3 * draw.normal(size=len(BLOCKS))

    pairs = [(by_family(), by_family()) for _ in range(250)]
    in_blocks = np.mean([correlation_p(*pair, PATHS, seed, 99) < 0.055 for seed, pair in enumerate(pairs)])
    alone = np.mean([float(np.asarray(spearmanr(*pair))[1]) < 0.05 for pair in pairs])
    assert alone > 0.12 and in_blocks < 0.09


def test_p_values_of_what_is_planted_are_small():
    draw = np.random.default_rng(7)
    first = draw.normal(size=len(BLOCKS))
    second = -first + 0.2 * draw.normal(size=len(BLOCKS))
    assert correlation_p(first, second, PATHS) < 0.01
    assert np.isnan(correlation_p([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [("a",), ("b",), ("c",)]))


def test_what_changes_places_is_built_alike():
    paths = [("x", "x1"), ("x", "x1"), ("x", "x2"), ("x", "x3"), ("y", "y"), ("z", "z")]
    blocks = Blocks(paths)
    assert blocks.orders == 2 * 2 * 2
    draw = np.random.default_rng(0)
    fixed = blocks.order()
    partners = [dict(zip(fixed, blocks.order(draw))) for _ in range(300)]
    moved = {tuple(one[place] for place in range(6)) for one in partners}
    assert len(moved) == 8
    for one in moved:
        assert set(one[:2]) == {0, 1} and set(one[2:4]) == {2, 3} and set(one[4:]) == {4, 5}
    assert Blocks([("a", "a"), ("b", "b"), ("b", "c")]).orders == 2


def test_within_less_between():
    similarity = np.array([[1, 0.8, 0.1, 0.1], [0.8, 1, 0.3, 0.1], [0.1, 0.3, 1, 0.6], [0.1, 0.1, 0.6, 1]])
    assert within_less_between(similarity, list("aabb")) == pytest.approx(0.7 - 0.15)
