"""Dependency trees: the ladder, the best tree against all trees, and the halves of a corpus."""

import itertools
import random

import numpy as np
import pytest
import torch
from datasets import Dataset

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.tasks.decoding import decode, spanning_tree
from modeling_dlfa.tasks.halves import MEASURES, dependency_length, depth, half
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.rungs import RUNGS
from modeling_dlfa.tasks.trees import RELATIONS, Tree, depths, fault
from tests.marks import rest_is_slow


def is_tree(heads):
    """Written anew: one root, and from every word the heads lead to it."""
    if sum(head == 0 for head in heads) != 1:
        return False
    for word in range(1, len(heads) + 1):
        steps = 0
        while word and steps <= len(heads):
            word, steps = heads[word - 1], steps + 1
        if word:
            return False
    return True


def all_trees(words):
    return [heads for heads in itertools.product(range(words + 1), repeat=words) if is_tree(heads)]


@pytest.mark.parametrize(("words", "count"), [(1, 1), (2, 2), (3, 9), (4, 64), (5, 625)])
def test_exactly_the_trees_have_no_fault(words, count):
    """There are n ** (n - 1) rooted labelled trees (Cayley)."""
    faultless = [h for h in itertools.product(range(words + 2), repeat=words) if fault(["w"] * words, h) is None]
    assert len(faultless) == count
    assert faultless == all_trees(words)


# ---------------------------------------------------------------- the ladder

# "A hearing is scheduled on the issue today .", not projective: the issue belongs to the hearing.
HEADS = [2, 4, 4, 0, 7, 7, 2, 4, 4]


@pytest.mark.parametrize(
    ("rung", "labels"),
    [
        ("upos", ["X"] * 9),
        ("direction", ["right", "right", "right", "root", "right", "right", "left", "left", "left"]),
        ("depth", ["2", "1", "1", "0", "3", "3", "2", "1", "1"]),
        (
            "distance",
            ["right 1", "right 2", "right 1", "root", "right 2", "right 1", "left 4-5", "left 4-5", "left 4-5"],
        ),
        ("arcs", ["dep"] * 9),
        ("tree", ["det"] * 9),
    ],
)
def test_the_rungs_of_a_tree_by_hand(rung, labels):
    assert RUNGS[rung].label(Tree(list("abcdefghi"), ["X"] * 9, HEADS, ["det"] * 9)) == labels


@pytest.mark.parametrize(
    ("distance", "label"),
    [(1, "1"), (2, "2"), (3, "3"), (4, "4-5"), (5, "4-5"), (6, "6-10"), (10, "6-10"), (11, "11+"), (99, "11+")],
)
def test_distances_have_the_stated_buckets(distance, label):
    words = distance + 1
    left = RUNGS["distance"].label(Tree([], [], [0] + [1] * distance, []))
    right = RUNGS["distance"].label(Tree([], [], [words] * distance + [0], []))
    assert (left[0], left[-1], right[-1], right[0]) == ("root", f"left {label}", "root", f"right {label}")


def test_depths_from_five_on_are_one_label():
    assert RUNGS["depth"].label(Tree([], [], list(range(8)), [])) == ["0", "1", "2", "3", "4", "5+", "5+", "5+"]
    assert depths(list(range(8))) == list(range(8))
    assert depths([2, 3, 4, 0]) == [3, 2, 1, 0]


def test_the_universal_relations():
    assert len(RELATIONS) == len(set(RELATIONS)) == 37
    assert list(RELATIONS) == sorted(RELATIONS)


@pytest.mark.parametrize("rung", rest_is_slow(["upos", "direction", "depth", "distance"]))
def test_every_label_of_a_rung_occurs_in_real_english(xtreme_data, rung):
    task = TASKS[f"uddep-{rung}"]
    rows = FolderSource(xtreme_data).load(task, "train", "en")
    assert {tag for tags in rows["tags"] for tag in tags} == set(range(len(task.labels)))


# ---------------------------------------------------------------- the best tree


@pytest.mark.parametrize("words", [1, 2, 3, 4, 5])
def test_the_spanning_tree_is_the_best_of_all_trees(words):
    rng = np.random.default_rng(words)
    trees = np.array(all_trees(words))  # (N, W)
    for trial in range(60):
        scores = rng.normal(size=(words, words + 1)) * 10.0 ** rng.integers(-3, 4)
        if trial % 2:  # every word would rather be the root
            scores[:, 0] += 100 * np.abs(scores).max()
        if trial % 3 == 0:
            scores[np.arange(words), np.arange(1, words + 1)] = 1e30  # or its own head
        totals = scores[np.arange(words), trees].sum(axis=1)
        best = trees[totals.argmax()]
        assert spanning_tree(scores).tolist() == best.tolist()


@pytest.mark.parametrize("fill", [0.0, np.nan, -np.inf, np.inf, np.finfo(np.float32).min])
@pytest.mark.parametrize("words", [1, 2, 7])
def test_scores_of_any_kind_give_a_tree(words, fill):
    scores = np.full((words, words + 1), fill)
    assert is_tree(spanning_tree(scores).tolist())
    scores[0, 0] = 1.0
    assert is_tree(spanning_tree(scores).tolist())
    assert np.isnan(scores).sum() in (0, scores.size - 1)  # the caller's array is left alone


def test_long_sentences_have_one_root():
    rng = np.random.default_rng(0)
    for words in (40, 150):
        scores = rng.normal(size=(words, words + 1)).astype(np.float32)
        scores[:, 0] += 50
        assert is_tree(spanning_tree(scores).tolist())


def batch(rng, lengths, relations=5):
    """Logits of a batch in the form of the model: the columns of padded words hold the lowest number."""
    width = max(lengths)
    arcs = torch.tensor(rng.normal(size=(len(lengths), width, width + 1)) * 3, dtype=torch.float32)
    for row, length in enumerate(lengths):
        arcs[row, :, length + 1 :] = torch.finfo(torch.float32).min
    return arcs, torch.tensor(rng.normal(size=(len(lengths), width, width + 1, relations)))


@pytest.mark.parametrize("given", [True, False])
def test_decoding_a_batch_is_decoding_each_sentence(given):
    rng = np.random.default_rng(1)
    lengths = [5, 1, 4, 2, 5, 3, 1, 4] * 8
    arcs, relations = batch(rng, lengths)
    words = torch.arange(5) < torch.tensor(lengths)[:, None]
    decoded = decode(arcs, relations, words if given else None)
    assert decoded.shape == (64, 5, 2) and decoded.dtype == torch.int64
    assert ((decoded == -100).all(-1) == ~words).all() and (decoded[words] >= 0).all()
    for row, length in enumerate(lengths):
        heads = decoded[row, :length, 0].tolist()
        trees = np.array(all_trees(length))
        totals = arcs[row, :length].numpy()[np.arange(length), trees].sum(axis=1)
        assert heads == trees[totals.argmax()].tolist()
        expected = [int(relations[row, word, head].argmax()) for word, head in enumerate(heads)]
        assert decoded[row, :length, 1].tolist() == expected


def test_only_sentences_that_need_it_are_searched(monkeypatch):
    from modeling_dlfa.tasks import decoding

    searched = []
    wanted = torch.tensor([[2, 0, 2], [0, 3, 1], [3, 1, 0], [2, 1, 1], [2, 1, 0], [0, 0, 2]])
    lengths = [3, 3, 3, 3, 2, 2]
    arcs = torch.nn.functional.one_hot(wanted, 4).float() * 9
    arcs[4:, :, 3] = torch.finfo(torch.float32).min
    monkeypatch.setattr(decoding, "spanning_tree", lambda s: searched.append(s.shape) or np.array([0, 1, 2][: len(s)]))
    decoded = decode(arcs, torch.zeros(6, 3, 4, 2))
    # The fourth has no root, the fifth two words that are each other's heads, the sixth two roots.
    assert searched == [(3, 4), (2, 3), (2, 3)]
    assert decoded[:3, :, 0].tolist() == wanted[:3].tolist()
    assert decoded[3:, :, 0].tolist() == [[0, 1, 2], [0, 1, -100], [0, 1, -100]]
    assert lengths == (decoded[..., 0] >= 0).sum(1).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_and_diverged_logits_decode_to_trees(dtype):
    arcs, relations = batch(np.random.default_rng(2), [4, 6, 1])
    low = arcs == torch.finfo(torch.float32).min
    for values in (arcs, torch.full_like(arcs, torch.nan)):
        given = values.to(dtype).masked_fill(low, torch.finfo(dtype).min)
        for heads, length in zip(decode(given, relations)[..., 0].tolist(), [4, 6, 1], strict=True):
            assert is_tree(heads[:length]) and set(heads[length:]) <= {-100}


# ---------------------------------------------------------------- how hard a sentence is


@pytest.mark.parametrize(
    ("heads", "length", "deepest"),
    [([0], 0, 0), ([2, 0], 1, 1), ([0, 1, 1, 1], 2, 1), ([0, 1, 2, 3], 1, 3), (HEADS, 21 / 8, 3)],
)
def test_measures_by_hand(heads, length, deepest):
    assert dependency_length(heads) == pytest.approx(length)
    assert depth(heads) == deepest


def corpus(sizes, seed=0):
    rng = random.Random(seed)
    rows = []
    for words in sizes:
        order = rng.sample(range(1, words + 1), words)
        heads = {word: rng.choice(order[:place]) if place else 0 for place, word in enumerate(order)}
        rows.append([heads[word] for word in range(1, words + 1)])
    return Dataset.from_dict({"heads": rows})


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_halves_are_easier_and_harder_and_as_many_words(measure, seed):
    rng = random.Random(seed)
    trees = corpus([rng.randrange(1, 40) for _ in range(200)], seed)
    heads = trees["heads"][:]
    easy, hard = (half(trees, which, measure) for which in ("easy", "hard"))
    assert sorted(easy + hard) == list(range(200))
    assert easy == sorted(easy) and hard == sorted(hard)
    of = MEASURES[measure]
    assert max(of(heads[i]) for i in easy) <= min(of(heads[i]) for i in hard)
    words = [sum(len(heads[i]) for i in rows) for rows in (easy, hard)]
    assert abs(words[0] - words[1]) <= max(map(len, heads))


def test_ties_are_broken_across_the_corpus():
    trees = Dataset.from_dict({"heads": [[2, 0, 2]] * 400})
    easy = half(trees, "easy")
    assert len(easy) == 200
    assert all(60 < sum(start <= i < start + 200 for i in easy) < 140 for start in (0, 200))
    assert easy == half(trees, "easy")


@pytest.mark.parametrize("measure", MEASURES)
def test_halves_of_real_english(xtreme_data, measure):
    rows = FolderSource(xtreme_data).load(TASKS["uddep"], "validation", "en")
    upos = FolderSource(xtreme_data).load(TASKS["uddep-upos"], "validation", "en")
    easy, hard = (half(rows, which, measure) for which in ("easy", "hard"))
    words = [sum(map(len, rows.select(chosen)["heads"])) for chosen in (easy, hard)]
    assert abs(words[0] - words[1]) <= 70 and sum(words) == sum(map(len, upos["tags"]))
    assert upos.select(easy)["tokens"][:] == rows.select(easy)["tokens"][:]
