"""The ladder: dependency parsing, easier tasks made from the same trees, and a control that reads their sentences.

Recipes follow udpos (our choice).
"""

from .rungs import RUNGS
from .task import HubDataset, Recipe, Task
from .xtreme import UDPOS, english_first


# One treebank per language, of release 2.7; XTREME's udpos joins all treebanks of a language.
_TREEBANKS = {
    **{"ar": "ar_pud", "de": "de_gsd", "en": "en_ewt", "es": "es_gsd", "fi": "fi_ftb", "fr": "fr_gsd", "hi": "hi_pud"},
    **{"id": "id_gsd", "ja": "ja_gsd", "ru": "ru_gsd", "tr": "tr_imst", "vi": "vi_vtb", "zh": "zh_gsd"},
}
_TEST_ONLY = tuple(code for code, treebank in _TREEBANKS.items() if treebank.endswith("_pud"))
_HUB = HubDataset(
    "universal-dependencies/universal_dependencies",
    "{treebank}",
    columns={"tokens": "tokens", "upos": "upos", "heads": "head", "relations": "deprel"},
    missing={"train": _TEST_ONLY, "validation": _TEST_ONLY},
    revision="refs/convert/parquet",
    treebanks=_TREEBANKS,
    in_folders=True,
)


def _rung(
    name: str, rung: str, kind: str, metrics: tuple[str, ...], max_length: int = 128, metric_note: str = ""
) -> Task:
    return Task(
        name=name,
        kind=kind,  # pyright: ignore[reportArgumentType]
        languages=english_first(" ".join(_TREEBANKS)),
        labels=RUNGS[rung].labels,
        metric=metrics[-1],
        metrics=metrics,
        recipe=Recipe(10, 2e-5, 32, max_length, eval_steps=500, seed=1),
        hub=_HUB,
        rung=rung,
        folder="uddep",
        metric_note=metric_note,
        note=UDPOS.note,
    )


# Trees are not split, so their rows are longer than those of tags.
LADDER: tuple[Task, ...] = (
    _rung("uddep-upos", "upos", "tags", ("accuracy",)),
    _rung("uddep-direction", "direction", "tags", ("accuracy",)),
    _rung("uddep-depth", "depth", "tags", ("accuracy",)),
    _rung("uddep-distance", "distance", "tags", ("accuracy",)),
    _rung("uddep-arcs", "arcs", "trees", ("uas",), max_length=256),
    _rung("uddep", "tree", "trees", ("uas", "las"), max_length=256),
)
"""From easy to hard."""

CONTROLS: tuple[Task, ...] = (
    _rung(
        *("uddep-masked", "masked", "masked", ("accuracy",)),
        metric_note="Of every sentence 15 % of the words, one at least, are hidden; a word is right if all its pieces "
        "are, and wrong if the vocabulary lacks it. How many its pieces are can be seen: encoders of different "
        "vocabularies are asked different things.",
    ),
)
"""The same sentences without the trees: what is left of a gain where nothing but words is asked for."""
