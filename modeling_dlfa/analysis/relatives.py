"""What similarities of languages say of their families, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from ..tasks.languages import LANGUAGES, by_family
from ..vectors import Layer
from .measures import Measure
from .permutation import families_p, within_less_between
from .similarity import SIMILARITIES


def branch(language: str) -> str:
    """ "IE: Germanic", "Turkic", ...; a language that is not known is a family of its own."""
    return LANGUAGES[language].family if language in LANGUAGES else language


def family(language: str) -> str:
    """As `branch`, but Indo-European is one."""
    return branch(language).partition(":")[0]


def in_order(languages: Sequence[str]) -> list[str]:
    """By family, as tables show them."""
    return [language for members in by_family(languages).values() for language in members]


@dataclass(frozen=True)
class Alike:
    """Similarities of K languages.

    Attributes:
        languages: in the order of the rows.
        whole: kind of similarity -> layer -> (K, K), by all sentences.
        halves: the same for each seed, by half of the sentences.
    """

    languages: Sequence[str]
    whole: Mapping[str, Mapping[Layer, np.ndarray]]
    halves: Mapping[str, Mapping[Layer, Sequence[np.ndarray]]]


def alike(vectors: Mapping[Layer, np.ndarray], languages: Sequence[str], seeds: int) -> Alike:
    """Compare all languages in all layers.

    Args:
        vectors: layer -> (K * N, E), the sentences of one language after those of another.
    """
    whole: dict[str, dict[Layer, np.ndarray]] = {kind: {} for kind in SIMILARITIES}
    halves: dict[str, dict[Layer, list[np.ndarray]]] = {kind: {} for kind in SIMILARITIES}
    for layer, stacked in vectors.items():
        by_language = np.asarray(stacked, dtype=np.float64).reshape(len(languages), -1, stacked.shape[-1])
        count = by_language.shape[1]
        for kind, (_, similarity) in SIMILARITIES.items():
            whole[kind][layer] = similarity(list(by_language))
            halves[kind][layer] = [
                similarity(list(by_language[:, np.random.default_rng(seed).permutation(count)[: count // 2]]))
                for seed in range(seeds)
            ]
    return Alike(languages, whole, halves)


def curves(found: Alike, kinds: Sequence[str]) -> list[Measure]:
    """Mean similarity of pairs of one branch, of one family but two branches, and of two families."""
    branches, families = ([of(language) for language in found.languages] for of in (branch, family))
    same_branch, same_family = (np.equal.outer(np.array(names), np.array(names)) for names in (branches, families))
    pairs = np.triu(np.ones_like(same_branch), 1)
    groups = {
        "branch": ("of one branch", pairs & same_branch),
        "family": ("of one family, two branches", pairs & same_family & ~same_branch),
        "others": ("of two families", pairs & ~same_family),
    }
    return [
        Measure(
            f"{kind}_{name}",
            f"{label} ({np.count_nonzero(group)} pairs)",
            SIMILARITIES[kind][0],
            "",
            {layer: [float(one[group].mean()) for one in seeds] for layer, seeds in found.halves[kind].items()},
        )
        for kind in kinds
        for name, (label, group) in groups.items()
        if group.any()
    ]


def tree(similarity: np.ndarray) -> np.ndarray:
    """Hierarchical clustering by average linkage of distances 1 - similarity, as SciPy's `linkage`."""
    distances = np.clip(1 - (similarity + similarity.T) / 2, 0, None)
    np.fill_diagonal(distances, 0)
    return linkage(squareform(distances, checks=False), "average")


@dataclass(frozen=True)
class Kinship:
    """How far similarities follow families, in one layer.

    Attributes:
        apart: mean similarity within a branch less that between branches.
        p_value: one-sided, by dealing the branches out at random.
        nearest, with_relatives: how many languages have one of their branch as the most similar one, of those that
            have a relative here.
        by_chance: how many of them would by chance.
        rand: adjusted Rand index of as many clusters as there are branches with the branches.
    """

    apart: float
    p_value: float
    nearest: int
    with_relatives: int
    by_chance: float
    rand: float


def kinship(similarity: np.ndarray, languages: Sequence[str]) -> Kinship:
    branches = [branch(language) for language in languages]
    others = similarity - 2 * np.eye(len(languages))  # never itself
    closest = others.argmax(axis=1)
    relatives = np.array([branches.count(name) - 1 for name in branches])
    right = [branches[place] == name for name, place in zip(branches, closest, strict=True)]
    clusters = cut_tree(tree(similarity), n_clusters=len(set(branches)))[:, 0]
    return Kinship(
        within_less_between(similarity, branches),
        families_p(similarity, branches),
        sum(right),
        int((relatives > 0).sum()),
        float(relatives.sum() / (len(languages) - 1)),
        float(adjusted_rand_score(branches, clusters)),
    )
