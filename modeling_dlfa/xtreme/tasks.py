"""The four tasks as data: labels, languages, reported metric, XTREME's recipe, and where the Hub keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import InputError
from .languages import LANGUAGES


Kind = Literal["classification", "tagging"]
SPLITS: tuple[str, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Recipe:
    """Fine-tuning defaults of a task, from XTREME's training scripts.

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
        config: pattern of the configuration name; `{code}` and `{name}` are filled from `Language`.
        columns: our column name -> the repository's.
        missing: split -> codes of the languages that lack it.
        revision: branch, tag or commit; None is the default branch.
    """

    path: str
    config: str
    columns: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: str | None = None

    def config_name(self, language: str) -> str:
        """Name of the configuration that holds a language, e.g. "udpos.German"."""
        return self.config.format(code=language, name=LANGUAGES[language].name)


@dataclass(frozen=True)
class Task:
    """One task of the benchmark.

    Attributes:
        name: name of the task and of its folder in XTREME's layout.
        kind: "classification" of sentence pairs, or "tagging" of words.
        languages: XTREME's languages, English first, then alphabetically.
        labels: label names; a label's id is its place.
        metric: key of the reported score in `metrics.score`.
        recipe: XTREME's fine-tuning defaults.
        hub: where the Hub keeps the task.
        label_aliases: other spellings of a label -> the label.
    """

    name: str
    kind: Kind
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    metric: str
    recipe: Recipe
    hub: HubDataset
    label_aliases: Mapping[str, str] = field(default_factory=dict)


def _languages(codes: str) -> tuple[str, ...]:
    return ("en", *sorted(set(codes.split()) - {"en"}))


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
            labels=(
                *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
                *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
            ),
            metric="f1",
            recipe=Recipe(10, 2e-5, 32, 128, eval_steps=500, seed=1),
            hub=HubDataset(
                "google/xtreme",
                "udpos.{name}",
                columns={"tokens": "tokens", "tags": "pos_tags"},
                missing={"train": ("th", "tl", "yo"), "validation": ("kk", "th", "tl", "yo")},
            ),
        ),
    )
}


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
