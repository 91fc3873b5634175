"""What a kind of task has to know, so that nobody else needs to ask which kind it is.

Shapes: B batch, T tokens, W words, N rows, E hidden size, C labels.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from datasets import Dataset, Features
from transformers import PreTrainedTokenizerBase

from ...errors import InputError
from ..encoding import LabelPiece
from ..trees import TREE_COLUMNS, Tree
from .probe import MayBeProbed
from .settled import MaySettle
from .shown import ShownOnAPage
from .untrained import MayTrainNothing


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAPreTrainedModel
    from ..task import Task


@dataclass(frozen=True)
class Answers:
    """Label names in the shape of `Kind.references`, and the probability of each; nan where there is none."""

    names: list
    probabilities: list


class Kind(MayBeProbed, MaySettle, MayTrainNothing, ShownOnAPage, ABC):
    """One kind of task: its model, its files, and the way from a row to a score and back.

    One object serves all tasks of the kind; methods take the task. What only some kinds can do has a default here,
    one line that says that this one cannot.

    Attributes:
        name: of the kind, as task files say it.
        file_columns: names of the columns that a task file may say the places of.
        makes_columns: whether those may be made of others, as `columns.Column` says it.
        label_column: which column holds what is looked up in `Task.labels`.
        metrics: what a task may report or compute.
        beside: metric -> the scores that come with it.
        fewest_labels: with fewer there is nothing to learn.
        metric_names: metric in the scores -> how tables of a model card call it.
        suffix: ending of prediction files, and of a data folder's files.
        cuts: whether what of a row does not fit into `max_length` is left out; else it goes on in another row.
        auto_class: the Auto class that opens a checkpoint with its head.
        problem_type: as `PreTrainedConfig` has it; said beforehand, a model is saved alike however it was trained.
        pipeline_tag: the task of a model on the Hub.
        sample_epochs: passes over the embedded sample that are enough to see transfer (our choice).
        control: whether a stage of it controls for others: it reads such text and asks for nothing but its words.
    """

    name: ClassVar[str]
    file_columns: ClassVar[tuple[str, ...]] = ()
    makes_columns: ClassVar[bool] = False
    label_column: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    fewest_labels: ClassVar[int] = 2
    metric_names: ClassVar[Mapping[str, str]] = {
        **{"accuracy": "Accuracy", "f1": "F1", "precision": "Precision", "recall": "Recall"},
        **{"uas": "UAS", "las": "LAS"},
    }
    suffix: ClassVar[str] = ".tsv"
    cuts: ClassVar[bool] = False
    auto_class: ClassVar[str]
    problem_type: ClassVar[str | None] = None
    pipeline_tag: ClassVar[str]
    sample_epochs: ClassVar[int] = 4
    control: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"<kind {self.name}>"

    def cannot(self, task: "Task", what: str) -> InputError:
        """The error of something that this kind cannot do, such as "scouting for a layer"."""
        return InputError(f"{task.name}: {what} is not there for tasks of the kind {self.name}")

    # -----------------------------------------------------------------------------------------------------------------
    # The model
    # -----------------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def model_class(self) -> type["DLFAPreTrainedModel"]:
        """Class of the model with its head."""

    def outputs(self, task: "Task") -> tuple[str, ...]:
        """What the head's logits are called, in the checkpoint's `id2label`: by default the labels."""
        return task.labels

    def default_metric(self, labels: Sequence[str]) -> str:
        """The metric that a task with these labels reports if it does not say."""
        return self.metrics[0]

    def special_tokens(self, task: "Task", tokenizer: PreTrainedTokenizerBase) -> int:
        """How many tokens of a row hold no text."""
        return tokenizer.num_special_tokens_to_add()

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def features(self, task: "Task") -> Features:
        """Columns and types of the task's rows; labels are `ClassLabel`s over `Task.labels`."""

    @abstractmethod
    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """The rows of a file, column by column, labels as ids.

        Args:
            labelled: without, the file's labels are not looked at; the task's first one stands for them.

        Raises:
            InputError: `FILE:LINE: expected ..., found ...`.
        """

    @abstractmethod
    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        """The labels in a file as they stand there, for a task that does not list its labels.

        Raises:
            InputError: as `read`, or the first line looks like a header.
        """

    def check_metrics(self, task: "Task") -> None:  # noqa: B027
        """Refuse labels that the metrics of a user's own task do not count as they are called; by default none.

        Raises:
            InputError: naming the metric and the label.
        """

    @abstractmethod
    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        """The columns of a data set of other types brought into ours, labels as ids.

        Args:
            columns: our column name -> values.
            features: our column name -> type in the data set.
            where: the data set, for messages.

        Raises:
            InputError: unknown or missing labels, rows whose columns do not fit each other.
        """

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        """The columns that a data set on the Hub must have, by our names."""
        return TREE_COLUMNS if task.rung is not None else tuple(self.features(task))

    def from_trees(self, task: "Task", trees: Sequence[Tree]) -> dict[str, list]:
        """The rows of a task that is made from dependency trees."""
        raise self.cannot(task, "making labels from trees")

    def labels_of(self, columns: Mapping[str, list]) -> list:
        """All labels of some rows, flat."""
        return columns[self.label_column]

    def different_answers(self, task: "Task", columns: Mapping[str, list]) -> int:
        """How many different labels the rows may have; with fewer than two, that all are the same says nothing."""
        return len(task.labels)

    def shuffled(self, task: "Task", rows: Dataset, draw: np.random.Generator) -> Dataset:
        """The same rows with their labels dealt out anew, over all words or rows."""
        raise InputError(f"--shuffle_labels: {task.name} has {self.name}; expected labels of words or pairs")

    # -----------------------------------------------------------------------------------------------------------------
    # From rows to the model
    # -----------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def encode(
        self,
        task: "Task",
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        label_piece: LabelPiece = "character",
    ) -> Dataset:
        """What the encoder reads of rows: model inputs, `labels` where the rows have some, and `length` (sub-words).

        Where rows and encoded rows are not one for one, `sentence` says which row an encoded one is of.
        """

    def full(self, features: Dataset, max_length: int) -> int:
        """How many encoded rows are as long as they may be, so that something of them may have been left out."""
        return sum(length >= max_length for length in features["length"][:]) if self.cuts else 0

    def note_of_full(self, full: int, max_length: int) -> str:
        """What is to be said of so many rows that are `full`, one or more."""
        texts = "1 text fills" if full == 1 else f"{full} texts fill"
        return f"{texts} the {max_length} sub-words of the run; what lies behind is not read"

    @abstractmethod
    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        """The collator that pads encoded rows to the longest of the batch."""

    # -----------------------------------------------------------------------------------------------------------------
    # From the model to scores
    # -----------------------------------------------------------------------------------------------------------------

    def keep(self, logits: Any, labels: torch.Tensor) -> torch.Tensor:
        """What the Trainer keeps of a batch's outputs: by default label ids."""
        return logits.argmax(dim=-1)

    @abstractmethod
    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        """What was kept, in the shape and order of `references`.

        Args:
            features: the encoded rows in the order in which the model saw them, with `sentence`.
            predictions: as `keep` gave them, joined over batches and padded with -100.
            label_ids: the labels in the order and shape in which the Trainer returns them.
        """

    def in_words(self, task: "Task", rows: Dataset, found: list, tokenizer: PreTrainedTokenizerBase) -> list:
        """What `in_order` has found, where the tokenizer has to say what it means; by default as it is."""
        return found

    @abstractmethod
    def references(self, rows: Dataset) -> list:
        """The gold answers of rows, label ids."""

    @abstractmethod
    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        """The task's metrics in one language, in percent.

        Args:
            predicted, gold: label ids or names in the shape of `references`.

        Raises:
            ValueError: they differ in shape or are empty.
        """

    def score_names(self, task: "Task") -> tuple[str, ...]:
        """The names in what `score` returns."""
        return tuple(dict.fromkeys(name for metric in task.metrics for name in (metric, *self.beside.get(metric, ()))))

    def together(self, task: "Task", rows: Dataset) -> Sequence | None:
        """What each row shares with others, such as the text of a question; None where rows are independent.

        Rows that share it come into a test set together, and are drawn together where the luck of its examples is
        estimated. By default the number of a run of rows that are alike in the column `Task.together`: where another
        text happens to have the same translation, rows still have the number that they have in other languages.
        """
        if not task.together:
            return None
        return [number for number, (_, run) in enumerate(groupby(rows[task.together][:])) for _ in run]

    @abstractmethod
    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        """What every row adds to the reported score.

        Returns:
            (N, 3) for N rows: what is right, what was predicted, and what is there (spans, words, rows). They may be
            fractions. Counts can be added up over any selection of rows, which is what a bootstrap does;
            `scores.score_of_counts` of all of them is the reported score.
        """

    @abstractmethod
    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        """Always the most frequent answer: what a model has to beat.

        Args:
            seen: gold label ids that the answer is taken from.
            asked: rows in the same shape that it is wanted for, without it `seen`; only lengths are read.
        """

    @abstractmethod
    def label_names(self, task: "Task", labels: Sequence) -> list:
        """Label ids as names, in the same nesting; names are left as they are."""

    def metric_features(self) -> Any:
        """Type of one row's names in an `evaluate` metric."""
        raise NotImplementedError

    def reference_features(self) -> Any:
        """Type of one row's gold answer there; by default as that of an answer."""
        return self.metric_features()

    def from_metric(self, values: list) -> list:
        """Names in the shape of `references`, of what an `evaluate` metric takes."""
        return values

    # -----------------------------------------------------------------------------------------------------------------
    # Files of predictions
    # -----------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        """The content of a prediction file, as XTREME's evaluate.py reads it where it knows the task.

        Args:
            names: as from `label_names`.
            tokens: words of the rows, for kinds that write them.
        """

    @abstractmethod
    def read_predictions(self, task: "Task", path: Path) -> list:
        """A prediction file read back: label names in the shape of `references`.

        Raises:
            InputError: FILE:LINE, for a line that the task does not know.
        """

    def tokens(self, rows: Dataset) -> list[list[str]] | None:
        """Words of the rows; None for kinds without."""
        return None

    def sentences(self, rows: Dataset) -> list[str] | None:
        """A sentence of each row that can be read by itself; None for kinds without."""
        return None

    # -----------------------------------------------------------------------------------------------------------------
    # Answers to texts without labels
    # -----------------------------------------------------------------------------------------------------------------

    formats: ClassVar[tuple[str, ...]] = ("jsonl",)

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        """Unlabelled rows of texts, and what an answer repeats of each.

        Raises:
            InputError: a text cannot be used.
        """
        raise self.cannot(task, "labelling texts")

    def check_running_text(self, path: Path, lines: Sequence[str]) -> None:
        """Refuse the lines of a .txt file that are in the form of labelled data, where texts are expected."""

    def confident(self, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Answers of a batch, as `keep`, and how probable each is to the model, without the last dimension."""
        best = outputs.logits.float().softmax(dim=-1).max(dim=-1)
        return best.indices, best.values

    def answers(
        self,
        task: "Task",
        rows: Dataset,
        features: Dataset,
        predicted: np.ndarray,
        probabilities: np.ndarray,
        labels: np.ndarray,
    ) -> Answers:
        """Answers and probabilities row by row, in the order of the rows; arguments as for `in_order`."""
        names = self.label_names(task, self.in_order(task, rows, features, predicted, labels))
        return Answers(names, self.in_order(task, rows, features, probabilities, labels))

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        """For each row what is answered, as JSON."""
        raise self.cannot(task, "labelling texts")

    def format_answers(self, task: "Task", described: Sequence[Mapping[str, Any]], form: str) -> str:
        """The content of a file of answers; `form` is one of `formats`."""
        return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in described)

    # -----------------------------------------------------------------------------------------------------------------
    # The model card
    # -----------------------------------------------------------------------------------------------------------------

    opens_with: ClassVar[str] = "`{auto_class}` and `AutoModel` open the same checkpoint."

    @abstractmethod
    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        """Lines of Python that use a published checkpoint; `prefix` stands before every text that has a vector."""

    # -----------------------------------------------------------------------------------------------------------------
    # What only some kinds can do
    # -----------------------------------------------------------------------------------------------------------------

    def check_layer_logits(self, task: "Task") -> None:
        """Refuse a task whose layers cannot be scouted together: by default, one whose logits are not (B, ..., C)."""
        raise InputError(
            f"{task.name}: layers are scouted for labels of words or pairs, not for {self.name}: give the layer"
        )


def label_name(task: "Task", label: Any) -> str:
    """The name of a label id; a name is left as it is."""
    return label if isinstance(label, str) else task.labels[label]
