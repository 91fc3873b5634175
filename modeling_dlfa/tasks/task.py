"""What a task is: its kind, its labels, the reported metric, the recipe, and where its data lie."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from datasets import Value

from ..errors import InputError
from ..files import name_problem, text_hash
from .columns import Column
from .kinds import Kind, get_kind
from .languages import language_name
from .readers import as_label


SPLITS: tuple[str, ...] = ("train", "validation", "test")
FILE_PREFIXES = {"train": "train", "validation": "dev", "test": "test"}
"""Split -> how XTREME's files of data and predictions begin."""


def check_split(split: str) -> str:
    """The split itself; InputError unless it is "train", "validation" or "test"."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    return split


@dataclass(frozen=True)
class Recipe:
    """Fine-tuning defaults of a task. Its own defaults are those that XTREME's scripts give to sentence pairs.

    Attributes:
        num_train_epochs: passes over the training set.
        learning_rate: peak of a linear decay.
        per_device_train_batch_size: examples per update; XTREME reaches 32 by accumulating 4 batches of 8.
        max_length: sub-words per example, special tokens included.
        eval_steps: updates between two looks at the development set.
        seed: XTREME's single seed.
        warmup_steps: updates before the peak, or below 1 their share of all.
        weight_decay: of all weights but biases and normalisations.
    """

    num_train_epochs: float = 5
    learning_rate: float = 2e-5
    per_device_train_batch_size: int = 32
    max_length: int = 128
    eval_steps: int = 100
    seed: int = 42
    warmup_steps: float = 0
    weight_decay: float = 0.0


@dataclass(frozen=True)
class HubDataset:
    """Where a task lies on the Hugging Face Hub. Parquet repositories only: loading scripts no longer run.

    Attributes:
        path: repository id.
        config: pattern of the configuration name; `{code}` and `{name}` are filled from `Language`, `{treebank}` from
            `treebanks`, `{own}` from `own_codes`.
        columns: our column name -> the repository's, or what it is made of.
        missing: split -> codes of the languages that lack it.
        revision: branch, tag or commit; None is the default branch.
        treebanks: code -> treebank of that language.
        in_folders: whether configurations are folders of Parquet files that no card of the repository declares, as on
            the branch that the Hub converts repositories of loading scripts to.
        splits: our split -> the repository's name of it, where that is another one.
        repositories: split -> repository id, for splits that lie in another one than `path`.
        configs: split -> pattern of the configuration name, where it is another one than `config`.
        own_codes: code -> the repository's code of that language.
        ids: pattern of how the rows' `id` begins, where languages lie in one configuration; filled as `config`.
        words: column of the repository -> value -> what is read in its place.
        drops_unlabelled: whether rows without a label are left out; else they are an error.
        more: data sets whose training rows follow those of this one.
    """

    path: str
    config: str
    columns: Mapping[str, Column]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: str | None = None
    treebanks: Mapping[str, str] = field(default_factory=dict)
    in_folders: bool = False
    splits: Mapping[str, str] = field(default_factory=dict)
    repositories: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    own_codes: Mapping[str, str] = field(default_factory=dict)
    ids: str = ""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drops_unlabelled: bool = False
    more: tuple["HubDataset", ...] = ()

    def __post_init__(self) -> None:
        more = tuple(one if isinstance(one, HubDataset) else HubDataset(**one) for one in self.more)
        object.__setattr__(self, "more", more)

    def parts(self, split: str) -> tuple["HubDataset", ...]:
        """What the rows of a split are taken from, this one first."""
        return (self, *self.more) if split == "train" else (self,)

    def repository(self, split: str) -> str:
        """Id of the repository that holds a split."""
        return self.repositories.get(split, self.path)

    def config_name(self, language: str, split: str = "test") -> str:
        """Name of the configuration that holds a language, e.g. "udpos.German"."""
        return self.filled(self.configs.get(split, self.config), language)

    def id_prefix(self, language: str) -> str:
        """How ids of a language begin, e.g. "finnish-"."""
        return self.filled(self.ids, language).lower()

    def filled(self, pattern: str, language: str) -> str:
        """A pattern with what it names of a language."""
        name, treebank = language_name(language), self.treebanks.get(language, "")
        own = self.own_codes.get(language, language)
        return pattern.format(code=language, name=name, treebank=treebank, own=own)


@dataclass(frozen=True)
class TaskFiles:
    """Files of a user's own, one for each split and language.

    Attributes:
        paths: split -> language -> file.
        columns: our column name -> the name in the file's header, or the place of the field, counted from 0, or for
            some kinds what it is made of; empty where the form of the file says which is which.
        separator: between the fields of CoNLL files: "\\t", or " " for any white space.
    """

    paths: Mapping[str, Mapping[str, Path]]
    columns: Mapping[str, Any] = field(default_factory=dict)
    separator: str = "\t"


@dataclass(frozen=True)
class Task:
    """One task.

    A task of a user's own is made by `get_task` from a YAML file, or in Python.

    Attributes:
        name: name of the task, of its folders of data and predictions too.
        kind: what is asked of a model, a `Kind` or its name: "pairs" (or single sentences), "tags" of words, "trees".
        labels: label names, for trees those of relations; a label's id is its place.
        languages: those of a benchmark, the training language first, then alphabetically; empty: those with data.
        metric: the reported score; default: the kind's choice for these labels.
        metrics: all that are computed; default: the reported one.
        recipe: fine-tuning defaults.
        hub: where the Hub keeps it, if it does.
        files: where its own files are, if it has some.
        train_language: language of the training and development data.
        label_aliases: other spellings of a label -> the label.
        rung: key of `rungs.RUNGS` for a task that is made from dependency trees.
        folder: where a data folder and the sample keep it; by default its name.
        labels_from: the file that the labels were found in; empty where they were given.
        layout: split -> pattern of a file's path in XTREME's download, `{code}` is the language; where there is none,
            or no such file, it is `<folder>/{train,dev,test}-{code}` with the ending of the kind.
        together: column with text; rows that follow each other with the same, such as the hypotheses of one premise,
            come into a test set together, see `Kind.together`. Empty: those that the kind knows of.
        selects: whether the best model on development data is kept; no, where what is scored is among those or made of
            them: then the model of the last step is.
        metric_note: what a reader of its scores must know.
        note: what the data are like, for the model card.
        license: of the data, for the model card.
        reference: where the task is from if it is not built in: a YAML file, or "package.module:TASK".
        settled: what was set for one model, as `Kind.settle`; empty until then, and no part of what the task is.

    Examples:
        >>> from pathlib import Path
        >>> from modeling_dlfa import Task
        >>> from modeling_dlfa.tasks.task import TaskFiles
        >>> files = {"train": {"en": Path("train.csv")}, "validation": {"en": Path("dev.csv")}, "test": {}}
        >>> columns = {"sentence1": "text", "label": "stars"}
        >>> task = Task("reviews", "pairs", labels=("bad", "good"), files=TaskFiles(files, columns))
        >>> task.metric, task.recipe.num_train_epochs
        ('accuracy', 5)
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    languages: tuple[str, ...] = ()
    metric: str = ""
    recipe: Recipe = field(default_factory=Recipe)
    hub: HubDataset | None = None
    metrics: tuple[str, ...] = ()
    files: TaskFiles | None = None
    train_language: str = "en"
    label_aliases: Mapping[str, str] = field(default_factory=dict)
    rung: str | None = None
    folder: str = ""
    labels_from: str = ""
    layout: Mapping[str, str] = field(default_factory=dict)
    together: str = ""
    selects: bool = True
    metric_note: str = ""
    note: str = ""
    license: str | None = None
    reference: str = ""
    settled: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def settle(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        if problem := name_problem(self.name):
            raise InputError(f"name of a task: {problem}")
        settle("kind", get_kind(self.kind))
        settle("labels", tuple(map(as_label, self.labels)))
        settle("label_aliases", {as_label(one): as_label(label) for one, label in self.label_aliases.items()})
        settle("folder", self.folder or self.name)
        settle("metric", self.metric or self.kind.default_metric(self.labels))
        settle("metrics", tuple(self.metrics) or (self.metric,))
        for metric in {self.metric, *self.metrics}:
            if metric not in self.kind.metrics:
                known = f"{', '.join(self.kind.metrics)} for {self.kind.name}"
                raise InputError(f"{self.name}: metric {metric!r}: expected one of {known}")
        fewest = self.kind.fewest_labels
        if len(set(self.labels)) < max(fewest, len(self.labels)):
            found = ", ".join(self.labels) or "missing"
            raise InputError(f"{self.name}: labels {found}: expected {fewest} or more different names")
        if unknown := [label for label in self.label_aliases.values() if label not in self.labels]:
            raise InputError(f"{self.name}: label_aliases: {unknown[0]!r} is not one of {', '.join(self.labels)}")
        if self.together:
            columns = [name for name, of in self.kind.features(self).items() if of == Value("string")]
            if self.together not in columns:
                known = f"expected a column with text of {self.kind.name}: {', '.join(columns) or 'there is none'}"
                raise InputError(f"{self.name}: together: {self.together!r}: {known}")

    def __str__(self) -> str:
        return self.name

    @property
    def own_columns(self) -> Mapping[str, Any]:
        """Our column name -> that of the task's files, or of its data set on the Hub; empty where nothing is said."""
        if self.files is not None:
            return self.files.columns
        return self.hub.columns if self.hub is not None else {}

    @property
    def default_data(self) -> str:
        """Where the data come from if nobody says it: its own files, the Hub, or for a built-in task the sample."""
        if self.files is not None:
            return OWN_FILES
        return "hub" if self.reference and self.hub is not None else "sample"

    @property
    def identity(self) -> str:
        """The name of a built-in task; of any other, with 16 digits for what it is. Equal ones are the same task."""
        if not self.reference:
            return self.name
        return f"{self.name} {text_hash(json.dumps({**self.definition(), 'reference': ''}, sort_keys=True))}"

    def definition(self) -> dict[str, Any]:
        """What results and checkpoints say of the task, as JSON; `task_of_definition` reads it."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        # Said by the scores; of the machine that it was trained on; of how sure scores are; of how it is trained by
        # default; of one model.
        for name in ("languages", "labels_from", "layout", "together", "selects", "settled"):
            del values[name]
        values |= {"kind": self.kind.name, "recipe": asdict(self.recipe)}
        values["hub"] = None if self.hub is None else asdict(self.hub)
        if self.files is not None:
            values["files"] = {"columns": dict(self.files.columns), "separator": self.files.separator}
        return json.loads(json.dumps(values))


OWN_FILES = "files"
"""What `--data` is for the files that the task itself names."""


def task_of_definition(values: Mapping[str, Any]) -> Task:
    """The task that `Task.definition` was made of, without its files: only how they are read is known.

    Raises:
        InputError: an entry is missing or unknown, or there is no such kind here.
    """
    values = dict(values)
    try:
        values["recipe"] = Recipe(**values.get("recipe", {}))
        if values.get("hub") is not None:
            values["hub"] = HubDataset(**values["hub"])
        if values.get("files") is not None:
            values["files"] = TaskFiles({}, **values["files"])
        return Task(**values)
    except (TypeError, KeyError) as error:
        raise InputError(f"no definition of a task: {error}") from error
