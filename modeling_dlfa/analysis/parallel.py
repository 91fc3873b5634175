"""The same sentences in several languages: test rows of a task that are translations of each other, row by row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..data.sources import Source
from ..errors import InputError
from ..tasks.registry import get_task
from .sentences import evenly, languages_of


PARALLEL = ("xnli", "pawsx", "xquad")
"""Tasks whose test rows are translations of the English ones; the first that the data have is taken."""

BETTER = 0.1
"""By how much labels or numbers have to agree better than a row apart, as a share (our choice)."""


@dataclass(frozen=True)
class Parallel:
    """Sentences of several languages.

    Attributes:
        task: name of the task.
        pivot: language that the others are translated from.
        texts: language -> sentences, row by row the same ones; the pivot first.
        rows: of the whole test set.
        agreement: language -> why rows are taken for translations.
        left_out: languages whose rows are none, or too few.
    """

    task: str
    pivot: str
    texts: dict[str, list[str]]
    rows: int
    agreement: dict[str, str]
    left_out: list[str]


def parallel_sentences(source: Source, task: str | None, asked: Sequence[str] | None, limit: int) -> Parallel:
    """Sentences of all languages whose rows are translations, as far as labels and numbers in the text tell.

    Args:
        task: name; default: the first of `PARALLEL` that the data have.
        asked: languages beside the pivot; None for all.
        limit: sentences of each, evenly from all.

    Raises:
        InputError: the data have no such task, or fewer than three languages with the same rows.
    """
    names = PARALLEL if task is None else (task,)
    name = next((name for name in names if len(languages_of(source, name, "test", None)) > 2), None)
    if name is None:
        which = " or ".join(names)
        raise InputError(f"--data {source.description}: expected test data of {which} in three languages or more")
    one = get_task(name)
    if asked is not None:
        asked = [one.train_language, *asked]
    sentences: dict[str, list[str]] = {}
    labels: dict[str, list] = {}
    for language in languages_of(source, name, "test", asked):
        rows = source.load(one, "test", language)
        found = one.kind.sentences(rows)
        if found is None:
            raise one.kind.cannot(one, "comparing sentences")
        sentences[language], labels[language] = found, one.kind.references(rows)
    pivot = one.train_language
    if pivot not in sentences:
        raise InputError(f"--data {source.description}: {name} has no test data in {pivot}, expected some")
    texts: dict[str, list[str]] = {}
    agreement: dict[str, str] = {}
    places = evenly(len(sentences[pivot]), limit)
    for language, found in sentences.items():
        why = _agreement((sentences[pivot], labels[pivot]), (found, labels[language]))
        if why is not None:
            agreement[language] = why
            texts[language] = [found[place] for place in places]
    left_out = [language for language in sentences if language not in texts]
    if len(texts) < 3:
        raise InputError(
            f"--data {source.description}: {name}: expected test rows that are translations of those in {pivot} in "
            f"two languages or more, found {', '.join(language for language in texts if language != pivot) or 'none'}"
        )
    del agreement[pivot]
    return Parallel(name, pivot, texts, len(sentences[pivot]), agreement, left_out)


def _agreement(first: tuple[list[str], list], second: tuple[list[str], list]) -> str | None:
    """Why rows of (sentences, labels) are taken for translations; None where they are not.

    Labels, or numbers in the sentences, agree far better row by row than where one side is moved by a row.
    """
    if len(first[0]) != len(second[0]):
        return None
    found = []
    numbers = tuple([_numbers(text) for text in side[0]] for side in (first, second))
    for what, (ours, theirs) in (("labels", (first[1], second[1])), ("numbers in the text", numbers)):
        told = [place for place, value in enumerate(ours) if value not in ([], None)]
        if len(told) < 10:
            continue
        here = sum(ours[place] == theirs[place] for place in told) / len(told)
        apart = sum(ours[place] == theirs[(place + 1) % len(theirs)] for place in told) / len(told)
        if here >= apart + BETTER:
            found.append(f"{what} agree in {100 * here:.1f} % of {len(told):,} rows ({100 * apart:.1f} % a row apart)")
    return "; ".join(found) or None


def _numbers(text: str) -> list[int]:
    """Those of two digits and more, in any script's digits."""
    return sorted(int(number) for number in re.findall(r"\d{2,15}", text))
