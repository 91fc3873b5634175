"""Exact match and F1, against values worked out by hand."""

import pytest

from modeling_dlfa.tasks.answer_scores import exact_match_and_f1, mlqa_words, squad_words


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
