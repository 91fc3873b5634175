"""What is measured of sentences in every layer: they are read once, and every seed divides them anew."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from ..data.sources import Source
from ..vectors import Layer
from .meaning import centred, retrieved
from .measures import Found, Measure, OfLanguages, by_language, means
from .opened import Opened
from .probes import accuracy, fitted
from .sentences import TATOEBA, Settings, evenly, layer_vectors, tatoeba
from .wanted import CKA


OF_SENTENCES, LEVEL = "Sentences, mean of their states", "chance, language"
# Sentences of each language that a probe of it learns from (our choice): with many, every layer is perfect.
LEARNT_OF = 20
FEWEST = 4
"""Pairs that a language must have: a probe learns from half of them, and is asked for the other (our choice)."""


COMPARED, FEWEST_COMPARED = 200, 16
"""Sentences of a language that are kept to be compared with another model's, and that it must have (our choice): a
seed compares half of them."""


def of_sentences(opened: Opened, source: Source, settings: Settings) -> Found:
    """Language identity, and retrieval of translations as they are and centred; sentences to compare, for "cka".

    Returns:
        nothing where none of that is asked for, or the data have no Tatoeba, or no language with `FEWEST` pairs.
        `Found.few` says where data are there and too few.
    """
    pairs = tatoeba(source, settings) if settings.wants("language", "retrieval", CKA) else None
    if pairs is None:
        return Found()
    texts: list[str] = []
    places: dict[str, tuple[range, range]] = {}
    few = [language for language, foreign in pairs.foreign.items() if len(foreign) < FEWEST]
    for language, foreign in pairs.foreign.items():
        if language in few:
            continue
        start, count = len(texts), len(foreign)
        texts += [*foreign, *pairs.pivot[language]]
        places[language] = range(start, start + count), range(start + count, start + 2 * count)
    if not places:
        return Found(few={TATOEBA: f"no language has {FEWEST} pairs"})
    vectors = layer_vectors(opened, [f"{settings.prefix}{text}" for text in texts], settings.max_length)
    known: dict[Layer, list[float]] = {}
    plain: OfLanguages = {}
    neutral: OfLanguages = {}
    for layer, of_layer in vectors.items():
        for seed in range(settings.seeds):
            halves = {language: _halves(len(rows), seed) for language, (rows, _) in places.items()}
            if settings.wants("language"):
                known.setdefault(layer, []).append(_language(of_layer, texts, places, halves, seed))
            if settings.wants("retrieval"):
                found, less_mean = _retrieval(of_layer, places, halves)
                plain.setdefault(layer, []).append(found)
                neutral.setdefault(layer, []).append(less_mean)
    note = f"left out, with fewer than {FEWEST} pairs: {', '.join(few)}" if few else ""
    measures = []
    if known:
        classes = len(places) + 1
        label, chance = f"language, one of {classes}", 100 / classes
        measures.append(Measure("language", label, OF_SENTENCES, "%", known, chance, LEVEL, note))
    if plain:
        chance = fmean(100 / (len(rows) - len(rows) // 2) for rows, _ in places.values())
        label, to_find = "translation found", "chance, translation"
        measures += [
            Measure("retrieval", label, OF_SENTENCES, "%", means(plain), chance, to_find, note),
            Measure("retrieval_centred", f"{label}, centred", OF_SENTENCES, "%", means(neutral), chance, note=note),
        ]
    rows = by_language({"retrieval": plain, "retrieval_centred": neutral})
    compared = _compared(texts, places, pairs.pivot_language) if settings.wants(CKA) else {}
    kept = {layer: {language: of[rows] for language, rows in compared.items()} for layer, of in vectors.items()}
    too_few = settings.wants(CKA) and not compared
    few_compared = {TATOEBA: f"no language has {FEWEST_COMPARED} sentences for {CKA}"} if too_few else {}
    return Found(measures, rows, kept if compared else {}, pairs.pivot_language, few_compared)


def _compared(
    texts: Sequence[str], places: Mapping[str, tuple[range, range]], pivot_language: str
) -> dict[str, list[int]]:
    """Places of the sentences of every language that another model is compared by, each text of the pivot once."""
    of_pivot = {texts[place]: place for _, pivot in places.values() for place in pivot}
    there = {pivot_language: list(of_pivot.values()), **{language: [*rows] for language, (rows, _) in places.items()}}
    return {
        language: [rows[place] for place in evenly(len(rows), COMPARED)]
        for language, rows in there.items()
        if len(rows) >= FEWEST_COMPARED
    }


def _halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of a first half, rounded down, to learn from, and of the others, to be asked for."""
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 :]


def _language(
    vectors: np.ndarray,
    texts: Sequence[str],
    places: Mapping[str, tuple[range, range]],
    halves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> float:
    """Accuracy of a probe of the language.

    Of the pivot as many sentences as of another language, or fewer where they are the same ones in many languages;
    each once, in one half alone.
    """
    sets: list[tuple[list, list]] = [([], []), ([], [])]
    learnt: set[str] = set()
    for half, (rows, labels) in enumerate(sets):
        of_pivot: list[int] = []
        for number, (language, (foreign, pivot)) in enumerate(places.items(), start=1):
            chosen = halves[language][half][: LEARNT_OF if half == 0 else None]
            rows += [foreign[place] for place in chosen]
            labels += [number] * len(chosen)
            of_pivot += [pivot[place] for place in chosen]
        count = len(rows) // len(places)
        different = list({texts[place]: place for place in of_pivot if texts[place] not in learnt}.values())
        order = np.random.default_rng(seed).permutation(len(different))[:count]
        drawn = [different[int(place)] for place in order]
        rows += drawn
        learnt.update(texts[place] for place in drawn)
        labels += [0] * len(drawn)
    (seen, seen_labels), (asked, asked_labels) = sets
    probe = fitted(vectors[seen].astype(np.float32), np.array(seen_labels))
    return accuracy(probe, vectors[asked].astype(np.float32), np.array(asked_labels))


def _retrieval(
    vectors: np.ndarray,
    places: Mapping[str, tuple[range, range]],
    halves: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> tuple[dict[str, float], dict[str, float]]:
    """By language: percent of pivot sentences whose translation is the nearest, as they are, and centred."""
    plain, neutral = {}, {}
    for language, (foreign, pivot) in places.items():
        others, asked = halves[language]
        ours, theirs = vectors[pivot], vectors[foreign]
        plain[language] = retrieved(ours[asked], theirs[asked])
        neutral[language] = retrieved(centred(ours[asked], ours[others]), centred(theirs[asked], theirs[others]))
    return plain, neutral
