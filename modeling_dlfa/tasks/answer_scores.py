"""How like an answer is to those that are right: SQuAD's exact match and F1, and MLQA's for its languages.

XTREME scores xquad and tydiqa as English whatever the language, and mlqa by the language of the text.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np


Normaliser = Callable[[str], list[str]]

TIE = 1e-9  # sums of scores that differ by less differ by rounding

_ENGLISH_ARTICLES = r"\b(?:a|an|the)\b"

# MLQA (Lewis et al. 2020, arXiv 1910.07475): what is left out in each of its languages; in hi and zh nothing is.
_MLQA_ARTICLES = {
    "en": _ENGLISH_ARTICLES,
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
    "hi": "",
    "zh": "",
}
# The characters that are words of their own in Chinese.
_CHINESE = "[\u4e00-\u9fa5]"


def squad_words(text: str) -> list[str]:
    """The words of an answer as SQuAD 1.1 compares them: lower case, no ASCII punctuation, no English articles."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(_ENGLISH_ARTICLES, " ", text).split()


@cache
def mlqa_words(language: str) -> Normaliser:
    """The same as MLQA does it: all of Unicode's punctuation, articles of the language, Chinese by characters.

    MLQA's script knows its seven languages; of others only punctuation is left out (our choice).
    """
    articles = _MLQA_ARTICLES.get(language, "")

    def words(text: str) -> list[str]:
        text = "".join(character for character in text.lower() if not _is_punctuation(character))
        text = re.sub(articles, " ", text) if articles else text
        return (re.sub(f"({_CHINESE})", r" \1 ", text) if language == "zh" else text).split()

    return words


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def exact_match_and_f1(predicted: str, gold: Sequence[str], words: Normaliser = squad_words) -> tuple[float, float]:
    """The best of an answer over all that are right, between 0 and 1.

    Args:
        predicted: empty where the context is said to have no answer.
        gold: empty where it has none: then only an empty answer is right (SQuAD 2).
    """
    ours = words(predicted)
    if not gold:
        return float(not ours), float(not ours)
    pairs = [_alike(ours, words(text)) for text in gold]
    return max(exact for exact, _ in pairs), max(f1 for _, f1 in pairs)


def best_threshold(margins: np.ndarray, answered: np.ndarray, unanswered: np.ndarray) -> float:
    """The threshold on margins above which to say "no answer" has the best mean score: SQuAD 2's best threshold.

    Args:
        margins: (N,) of each question the score of no answer, less that of its best answer; infinite without one.
        answered: (N,) what the question counts with its best answer.
        unanswered: (N,) what it counts with none.

    Returns:
        the middle between two margins, or 1 outside of all; of thresholds that are equally good the nearest to 0,
        which is 0 itself where no other is better (our choice; SQuAD's script takes the lowest).
    """
    order = np.argsort(margins, kind="stable")
    ordered = margins[order]
    # What is won by answering the first so many, rather than none.
    won = np.concatenate(([0.0], np.cumsum((answered - unanswered)[order])))
    places = np.unique(ordered[np.isfinite(ordered)])
    outside = [places[0] - 1, places[-1] + 1] if len(places) else []
    thresholds = np.array([0.0, *(places[:-1] + places[1:]) / 2, *outside])
    won_at = won[np.searchsorted(ordered, thresholds, side="right")]
    best = thresholds[won_at >= won_at.max() - TIE]
    return float(best[np.abs(best).argmin()])


def _alike(ours: list[str], theirs: list[str]) -> tuple[float, float]:
    common = sum((Counter(ours) & Counter(theirs)).values())
    # Two answers that are nothing but articles are equal and have no word in common, as in SQuAD's script.
    return float(ours == theirs), 2 * common / (len(ours) + len(theirs)) if common else 0.0
