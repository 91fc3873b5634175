"""Sentences that are read once, by every layer, and then divided anew by every seed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.sources import Source
from ..errors import InputError
from ..tasks.encoding import LabelPiece
from ..tasks.kinds.retrieval import encode_sentences
from ..tasks.registry import get_task
from ..vectors import Layer
from .opened import Opened
from .wanted import OF_LAYERS


TATOEBA = "tatoeba"


@dataclass(frozen=True)
class Settings:
    """How much is read, and how often it is divided.

    Attributes:
        languages: codes; None for all that have data.
        samples: sentences, or pairs, of a language.
        max_length: sub-words of a sentence.
        prefix: text before each sentence that is read by itself.
        seeds: how many.
        measures: what is measured, names of `wanted.MEASURES`.
        label_piece: which piece of a word is read; None for the one that bears its label in the model that is read.
    """

    languages: Sequence[str] | None = None
    samples: int = 200
    max_length: int = 128
    prefix: str = ""
    seeds: int = 3
    measures: Sequence[str] = OF_LAYERS
    label_piece: LabelPiece | None = None

    def wants(self, *names: str) -> bool:
        """Whether one of some measures is asked for."""
        return any(name in self.measures for name in names)


@dataclass(frozen=True)
class Translations:
    """Pairs of sentences: language -> foreign ones, and their translations into the pivot, row by row.

    Attributes:
        pivot_language: English, for Tatoeba.
    """

    pivot_language: str
    foreign: Mapping[str, list[str]]
    pivot: Mapping[str, list[str]]


def tatoeba(source: Source, settings: Settings) -> Translations | None:
    """Pairs of every language, evenly from all, whose order is that of the alphabet.

    None where the data have no such task, or none of the languages.
    """
    task = get_task(TATOEBA)
    there = languages_of(source, TATOEBA, "test", settings.languages)
    foreign, pivot = {}, {}
    for language in there:
        rows = source.load(task, "test", language)
        rows = rows.select(evenly(len(rows), settings.samples))
        foreign[language], pivot[language] = rows["sentence1"][:], rows["sentence2"][:]
    return Translations(task.train_language, foreign, pivot) if there else None


def languages_of(source: Source, task: str, split: str, asked: Sequence[str] | None) -> list[str]:
    """The languages of a task that have data, of those that are asked for; none where the data have no such task."""
    try:
        there = source.languages(get_task(task), split)
    except InputError:
        return []
    return [language for language in there if asked is None or language in asked]


def check_languages(source: Source, tasks: Iterable[str], asked: Sequence[str] | None) -> None:
    """Refuse data without any of some tasks, and languages that none of them has test data in.

    Raises:
        InputError: naming the languages that there are.
    """
    there = {task: languages_of(source, task, "test", None) for task in tasks}
    known = list(dict.fromkeys(language for languages in there.values() for language in languages))
    if not known:
        raise InputError(f"--data {source.description}: expected test data of {' or '.join(there)}, found none")
    if unknown := [language for language in asked or () if language not in known]:
        raise InputError(
            f"--languages: no test data for {', '.join(unknown)} in {source.description}; {', '.join(there)} have "
            f"{', '.join(known)}"
        )


def evenly(rows: int, limit: int) -> list[int]:
    """Places of at most `limit` rows, as far from each other as possible."""
    return np.unique(np.linspace(0, rows - 1, min(limit, rows)).round().astype(int)).tolist() if rows else []


def layer_vectors(opened: Opened, texts: Sequence[str], max_length: int) -> dict[Layer, np.ndarray]:
    """layer -> (N, E) vectors of sentences, the means of their states, by one pass over those that differ.

    Raises:
        InputError: states that are not finite.
    """
    different = list(dict.fromkeys(texts))
    places = {text: place for place, text in enumerate(different)}
    rows = encode_sentences(different, opened.tokenizer, max_length).sort("length", reverse=True)
    found = opened.reader.vectors(rows, opened.layers)
    order = [places[text] for text in texts]
    return {layer: vectors[order] for layer, vectors in found.items()}
