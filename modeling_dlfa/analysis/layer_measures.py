"""What is measured of every layer. Each function reads its sentences once, and every seed divides them anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from ..vectors import Layer
from .meaning import centred, retrieved
from .measures import Measure
from .opened import Opened
from .probes import accuracy, fitted
from .sentences import Translations, layer_vectors


OF_SENTENCES = "Sentences, mean of their states"
# Sentences of each language that a probe of it learns from (our choice): with many, every layer is perfect.
LEARNT_OF = 20


@dataclass(frozen=True)
class Settings:
    """How much is read, and how often it is divided.

    Attributes:
        max_length: sub-words of a sentence.
        prefix: text before each sentence that is read by itself.
        seeds: how many.
    """

    max_length: int = 128
    prefix: str = ""
    seeds: int = 3


def of_translations(opened: Opened, pairs: Translations, settings: Settings) -> tuple[list[Measure], list[dict]]:
    """Language identity, and retrieval of translations as they are and centred.

    Returns:
        the measures, and rows by layer and language with the means over seeds.
    """
    texts: list[str] = []
    places: dict[str, tuple[range, range]] = {}
    for language, foreign in pairs.foreign.items():
        start, count = len(texts), len(foreign)
        texts += [*foreign, *pairs.pivot[language]]
        places[language] = range(start, start + count), range(start + count, start + 2 * count)
    vectors = layer_vectors(opened, [f"{settings.prefix}{text}" for text in texts], settings.max_length)
    known: dict[Layer, list[float]] = {}
    plain: dict[Layer, list[dict[str, float]]] = {}
    neutral: dict[Layer, list[dict[str, float]]] = {}
    for layer, of_layer in vectors.items():
        for seed in range(settings.seeds):
            halves = {language: _halves(len(rows), seed) for language, (rows, _) in places.items()}
            known.setdefault(layer, []).append(_language(of_layer, places, halves, seed))
            found, less_mean = _retrieval(of_layer, places, halves)
            plain.setdefault(layer, []).append(found)
            neutral.setdefault(layer, []).append(less_mean)
    candidates = [len(rows) - len(rows) // 2 for rows, _ in places.values()]
    chance = fmean(100 / count for count in candidates)
    classes = len(places) + 1
    measures = [
        Measure("language", f"language, one of {classes}", OF_SENTENCES, "%", known, 100 / classes, "chance"),
        Measure("retrieval", "translation found", OF_SENTENCES, "%", _means(plain), chance, "chance, translation"),
        Measure("retrieval_centred", "…, languages centred", OF_SENTENCES, "%", _means(neutral), chance),
    ]
    return measures, _by_language({"retrieval": plain, "retrieval_centred": neutral})


def _halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of a first half, rounded down, to learn from, and of the others, to be asked for."""
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 :]


def _language(
    vectors: np.ndarray,
    places: Mapping[str, tuple[range, range]],
    halves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> float:
    """Accuracy of a probe of the language; of the pivot as many sentences as of another, of all languages by turns."""
    sets: list[tuple[list, list]] = [([], []), ([], [])]
    for half, (rows, labels) in enumerate(sets):
        of_pivot = []
        for number, (language, (foreign, pivot)) in enumerate(places.items(), start=1):
            chosen = halves[language][half][: LEARNT_OF if half == 0 else None]
            rows += [foreign[place] for place in chosen]
            labels += [number] * len(chosen)
            of_pivot += [pivot[place] for place in chosen]
        count = len(rows) // len(places)
        drawn = np.random.default_rng(seed).permutation(len(of_pivot))[:count]
        rows += [of_pivot[place] for place in drawn]
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


def _means(found: Mapping[Layer, Sequence[Mapping[str, float]]]) -> dict[Layer, list[float]]:
    return {layer: [fmean(by_language.values()) for by_language in seeds] for layer, seeds in found.items()}


def _by_language(found: Mapping[str, Mapping[Layer, Sequence[Mapping[str, float]]]]) -> list[dict]:
    return [
        {"measure": name, "layer": str(layer), "language": language, "value": fmean(one[language] for one in seeds)}
        for name, by_layer in found.items()
        for layer, seeds in by_layer.items()
        for language in seeds[0]
    ]
