"""Exact match and F1, against values worked out by hand."""

import numpy as np
import pytest

from modeling_dlfa.tasks.answer_scores import best_threshold, exact_match_and_f1, mlqa_words, squad_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The U.S. Army!", ["us", "army"]),
        ("an  apple,\na pear", ["apple", "pear"]),
        ("theatre", ["theatre"]),
        ("das Haus", ["das", "haus"]),
        ("“Haus”", ["“haus”"]),  # punctuation is ASCII's alone
        ("黑豹队 308 分", ["黑豹队", "308", "分"]),
        ("The", []),
    ],
)
def test_words_of_squad(text: str, words: list[str]):
    assert squad_words(text) == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "The “Army”", ["army"]),
        ("de", "In dem Haus, einem roten", ["in", "haus", "roten"]),
        ("es", "¿La casa? Los perros", ["casa", "perros"]),
        ("vi", "những con mèo của tôi", ["con", "mèo", "tôi"]),
        ("ar", "البيت الكبير", ["بيت", "كبير"]),
        ("hi", "घर के अंदर।", ["घर", "के", "अंदर"]),
        ("zh", "黑豹队 NFL，308分", ["黑", "豹", "队", "nfl308", "分"]),
    ],
)
def test_words_of_mlqa(language: str, text: str, words: list[str]):
    assert mlqa_words(language)(text) == words


def test_of_a_language_that_mlqa_does_not_have_only_punctuation_is_left_out():
    assert mlqa_words("fr")("« La maison »") == ["la", "maison"]


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [
        ("the red house", ["Red house."], 1, 1),
        ("house", ["red house"], 0, 2 / 3),
        ("big house", ["red house", "big"], 0, 2 / 3),  # the best over all that are right
        ("dog dog", ["dog"], 0, 2 / 3),  # a word counts as often as it stands there
        ("cat", ["dog"], 0, 0),
        ("", ["dog"], 0, 0),
        ("", [], 1, 1),
        ("the", [], 1, 1),
        ("dog", [], 0, 0),
        ("a", ["the"], 1, 0),  # SQuAD's script: equal, and no word in common
    ],
)
def test_scores(predicted: str, gold: list[str], exact: float, f1: float):
    assert exact_match_and_f1(predicted, gold) == (exact, pytest.approx(f1))


def test_chinese_counts_in_part_for_mlqa_alone():
    assert exact_match_and_f1("黑豹", ["黑豹队"]) == (0, 0)
    assert exact_match_and_f1("黑豹", ["黑豹队"], mlqa_words("zh")) == (0, pytest.approx(0.8))


# ---------------------------------------------------------------------------------------------------------------------
# The best threshold of SQuAD 2
# ---------------------------------------------------------------------------------------------------------------------

# Margins of no answer, what counts the best answer, what counts none.
CASES = {
    "apart": ([-2, -1, 1, 3], [1, 0.5, 0, 0], [0, 0, 1, 1]),
    "answers below 0 alone": ([-5, -4, -3], [1, 0, 0], [0, 1, 1]),
    "answers far above 0": ([2, 4, 6], [1, 1, 0], [0, 0, 1]),
    "ties": ([1, 1, 1, 2, 2], [1, 0, 1, 0, 0.5], [0, 1, 0, 1, 0]),
    "all margins equal": ([-1, -1, -1], [1, 0, 0], [0, 1, 1]),
    "all have an answer": ([-3, 0, 2.5], [1, 0, 0.5], [0, 0, 0]),
    "none has an answer": ([-3, 0, 2.5], [0, 0, 0], [1, 1, 1]),
    "nothing to choose": ([-3, 2], [0, 0], [0, 0]),
    "no span": ([np.inf, 2, np.inf], [1, 1, 0], [1, 0, 0]),
    "one": ([0.5], [1], [0]),
}
EXPECTED = {
    **{"apart": 0, "answers below 0 alone": -4.5, "answers far above 0": 5, "ties": 1.5, "all margins equal": -2},
    **{"all have an answer": 3.5, "none has an answer": -4, "nothing to choose": 0, "no span": 3, "one": 1.5},
}


def mean_at(threshold: float, margins, answered, unanswered) -> float:
    """The score where no answer is said above a threshold."""
    return float(np.mean(np.where(np.array(margins) > threshold, unanswered, answered)))


def best_of_all(margins, answered, unanswered) -> float:
    """By search over every value that could matter, and what lies between and outside."""
    finite = sorted({0.0, *np.array(margins)[np.isfinite(margins)].tolist()})
    between = [(one + other) / 2 for one, other in zip(finite, finite[1:])]
    return max(mean_at(one, margins, answered, unanswered) for one in [-1e9, *finite, *between, 1e9])


@pytest.mark.parametrize("case", CASES)
def test_the_best_threshold_by_hand(case: str):
    found = best_threshold(*map(np.array, CASES[case]))
    assert found == EXPECTED[case] and np.isfinite(found)
    assert mean_at(found, *CASES[case]) == pytest.approx(best_of_all(*CASES[case]))


def find_best_thresh(scores, margins, has_answer) -> float:
    """The best score as SQuAD 2's evaluation finds it (`find_best_thresh`), for answers that are never empty."""
    current = best = float(np.sum(~has_answer))
    for one in np.argsort(margins):
        current += scores[one] if has_answer[one] else -1
        best = max(best, current)
    return best / len(scores)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_threshold_is_that_of_a_search_over_all(seed: int):
    draw = np.random.default_rng(seed)
    size = int(draw.integers(1, 60))
    has_answer = draw.random(size) < draw.choice([0, 0.3, 0.7, 1])
    scores = np.where(has_answer, draw.choice([0, 1 / 3, 0.5, 1], size), 0)
    margins = draw.normal(size=size) + draw.normal() - 2 * has_answer
    found = mean_at(best_threshold(margins, scores, ~has_answer * 1.0), margins, scores, ~has_answer)
    assert found == pytest.approx(best_of_all(margins, scores, ~has_answer))
    assert found == pytest.approx(find_best_thresh(scores, margins, has_answer))  # margins differ: it is the same
    tied = np.round(margins)
    found = mean_at(best_threshold(tied, scores, ~has_answer * 1.0), tied, scores, ~has_answer)
    assert found == pytest.approx(best_of_all(tied, scores, ~has_answer))


def test_a_threshold_that_is_as_good_as_none_is_none():
    """Of equally good ones the nearest to 0, though sums of thirds differ by rounding."""
    margins, third = np.array([-4.0, -3, -2, 2, 3]), np.full(5, 1 / 3)
    answered = np.array([1, 0.5, 0, 0, 0])
    assert best_threshold(margins, third + 0.1 - 0.1, third) == 0
    assert best_threshold(margins, answered, 1 - answered) == -2.5
