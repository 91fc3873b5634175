"""The tasks as data: labels, languages, reported metric, recipe, and where the Hub keeps them.

Beside XTREME's four stands a ladder of tasks made from one set of dependency trees.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import InputError
from .languages import LANGUAGES
from .trees import RUNGS, UPOS


Kind = Literal["classification", "tagging", "parsing"]
SPLITS: tuple[str, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Recipe:
    """Fine-tuning defaults of a task, from XTREME's training scripts; the ladder follows udpos (our choice).

    Attributes:
        num_train_epochs: passes over the English training set.
        learning_rate: peak of a linear decay without warm-up.
        per_device_train_batch_size: examples per update; XTREME reaches 32 by accumulating 4 batches of 8.
        max_length: sub-words per example, special tokens included.
        eval_steps: updates between two looks at the English development set.
        seed: XTREME's single seed.
    """

    num_train_epochs: float
    learning_rate: float
    per_device_train_batch_size: int
    max_length: int
    eval_steps: int
    seed: int


@dataclass(frozen=True)
class HubDataset:
    """Where a task lies on the Hugging Face Hub. Parquet repositories only: loading scripts no longer run.

    Attributes:
        path: repository id.
        config: pattern of the configuration name; `{code}` and `{name}` are filled from `Language`, `{treebank}` from
            `treebanks`.
        columns: our column name -> the repository's.
        missing: split -> codes of the languages that lack it.
        revision: branch, tag or commit; None is the default branch.
        treebanks: code -> treebank of that language.
        in_folders: whether configurations are folders of Parquet files that no card of the repository declares, as on
            the branch that the Hub converts repositories of loading scripts to.
    """

    path: str
    config: str
    columns: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: str | None = None
    treebanks: Mapping[str, str] = field(default_factory=dict)
    in_folders: bool = False

    def config_name(self, language: str) -> str:
        """Name of the configuration that holds a language, e.g. "udpos.German"."""
        name = LANGUAGES[language].name
        return self.config.format(code=language, name=name, treebank=self.treebanks.get(language, ""))


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: name of the task.
        kind: "classification" of sentence pairs, "tagging" of words, or "parsing": a head and a relation per word.
        languages: the languages of the benchmark, English first, then alphabetically.
        labels: label names, for parsing those of relations; a label's id is its place.
        metric: key of the reported score in `metrics.score`.
        recipe: fine-tuning defaults.
        hub: where the Hub keeps the task.
        label_aliases: other spellings of a label -> the label.
        rung: key of `trees.RUNGS` for a task that is made from dependency trees, None for XTREME's.
        folder: where a data folder and the sample keep it; by default its name.
    """

    name: str
    kind: Kind
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    metric: str
    recipe: Recipe
    hub: HubDataset
    label_aliases: Mapping[str, str] = field(default_factory=dict)
    rung: str | None = None
    folder: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder or self.name)


def _languages(codes: str) -> tuple[str, ...]:
    return ("en", *sorted(set(codes.split()) - {"en"}))


# One treebank per language, of release 2.7; XTREME's udpos joins all treebanks of a language.
_TREEBANKS = {
    **{"ar": "ar_pud", "de": "de_gsd", "en": "en_ewt", "es": "es_gsd", "fi": "fi_ftb", "fr": "fr_gsd", "hi": "hi_pud"},
    **{"id": "id_gsd", "ja": "ja_gsd", "ru": "ru_gsd", "tr": "tr_imst", "vi": "vi_vtb", "zh": "zh_gsd"},
}
_TEST_ONLY = tuple(code for code, treebank in _TREEBANKS.items() if treebank.endswith("_pud"))


def _tree_task(name: str, kind: Kind, rung: str, metric: str) -> Task:
    """A task of the ladder. Parsing keeps sentences whole, so its rows are longer than those of tagging."""
    return Task(
        name=name,
        kind=kind,
        languages=_languages(" ".join(_TREEBANKS)),
        labels=RUNGS[rung].labels,
        metric=metric,
        recipe=Recipe(10, 2e-5, 32, 256 if kind == "parsing" else 128, eval_steps=500, seed=1),
        hub=HubDataset(
            "universal-dependencies/universal_dependencies",
            "{treebank}",
            columns={"tokens": "tokens", "upos": "upos", "heads": "head", "relations": "deprel"},
            missing={"train": _TEST_ONLY, "validation": _TEST_ONLY},
            revision="refs/convert/parquet",
            treebanks=_TREEBANKS,
            in_folders=True,
        ),
        rung=rung,
        folder="uddep",
    )


_PAIRS = {"sentence1": "sentence1", "sentence2": "sentence2", "label": "label"}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="xnli",
            kind="classification",
            languages=_languages("ar bg de el en es fr hi ru sw th tr ur vi zh"),
            labels=("entailment", "neutral", "contradiction"),
            metric="accuracy",
            recipe=Recipe(5, 2e-5, 32, 128, eval_steps=100, seed=42),
            hub=HubDataset(
                "facebook/xnli",
                "{code}",
                columns={"sentence1": "premise", "sentence2": "hypothesis", "label": "label"},
            ),
            label_aliases={"contradictory": "contradiction"},  # the spelling of XNLI's machine-translated files
        ),
        Task(
            name="pawsx",
            kind="classification",
            languages=_languages("de en es fr ja ko zh"),
            labels=("0", "1"),
            metric="accuracy",
            recipe=Recipe(5, 2e-5, 32, 128, eval_steps=200, seed=42),
            hub=HubDataset("google-research-datasets/paws-x", "{code}", columns=_PAIRS),
        ),
        Task(
            name="panx",
            kind="tagging",
            languages=_languages(
                "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te "
                "th tl tr ur vi yo zh"
            ),
            labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
            metric="f1",
            recipe=Recipe(10, 2e-5, 32, 128, eval_steps=1000, seed=1),
            hub=HubDataset("google/xtreme", "PAN-X.{code}", columns={"tokens": "tokens", "tags": "ner_tags"}),
        ),
        Task(
            name="udpos",
            kind="tagging",
            languages=_languages(
                "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
            ),
            labels=UPOS,
            metric="f1",
            recipe=Recipe(10, 2e-5, 32, 128, eval_steps=500, seed=1),
            hub=HubDataset(
                "google/xtreme",
                "udpos.{name}",
                columns={"tokens": "tokens", "tags": "pos_tags"},
                missing={"train": ("th", "tl", "yo"), "validation": ("kk", "th", "tl", "yo")},
            ),
        ),
        _tree_task("uddep-upos", "tagging", "upos", "accuracy"),
        _tree_task("uddep-direction", "tagging", "direction", "accuracy"),
        _tree_task("uddep-depth", "tagging", "depth", "accuracy"),
        _tree_task("uddep-distance", "tagging", "distance", "accuracy"),
        _tree_task("uddep-arcs", "parsing", "arcs", "uas"),
        _tree_task("uddep", "parsing", "tree", "las"),
    )
}
XTREME_TASKS: tuple[str, ...] = ("xnli", "pawsx", "panx", "udpos")
"""The tasks of XTREME; the others are the ladder of parsing tasks, from easy to hard."""


def get_task(name: str) -> Task:
    """The task of that name; InputError where there is none."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}: expected one of {', '.join(TASKS)}")
    return TASKS[name]


def check_split(split: str) -> str:
    """The split itself; InputError unless it is "train", "validation" or "test"."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    return split
