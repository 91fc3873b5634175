"""What a run reads: the rows of training, development and scoring, encoded, and predictions brought back to rows."""

from dataclasses import dataclass

import numpy as np
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..backbones import resolve_encoder
from ..errors import InputError
from ..xtreme.encoding import at_labels, complete_trees, encode, join_tags
from ..xtreme.languages import LANGUAGES
from ..xtreme.metrics import majority_predictions, score
from ..xtreme.sources import LABEL_COLUMNS, Source, open_source
from ..xtreme.tasks import Task, get_task
from ..xtreme.trees import half
from .arguments import RunArguments


# The arguments that `prepare` depends on: runs that agree in them can share what it returns.
READ_BY_PREPARE = (
    *("task", "data", "model_name_or_path", "model_revision", "train_language", "languages", "eval_split"),
    *("max_train_samples", "max_eval_samples", "max_dev_samples", "max_length", "label_piece"),
    *("train_half", "half_by", "shuffle_labels"),
)


@dataclass(frozen=True)
class EvalSet:
    """Rows to be scored, as the source has them and encoded (longest first, so that batches hold equal lengths)."""

    task: Task
    rows: Dataset
    features: Dataset

    @classmethod
    def encode(cls, task: Task, rows: Dataset, tokenizer: PreTrainedTokenizerBase, arguments: RunArguments):
        features = encode(task, rows, tokenizer, arguments.max_length, arguments.label_piece)  # pyright: ignore
        if "sentence" not in features.column_names:
            features = features.add_column("sentence", list(range(len(features))))  # pyright: ignore
        return cls(task, rows, features.sort("length", reverse=True))

    @property
    def references(self) -> list:
        """Gold label ids: one per pair, or a list per sentence; for parsing a list of (head, relation id)."""
        labels = self.rows[LABEL_COLUMNS[self.task.kind]][:]
        if self.task.kind != "parsing":
            return labels
        return [list(zip(*arcs, strict=True)) for arcs in zip(self.rows["heads"][:], labels, strict=True)]

    @property
    def tokens(self) -> list[list[str]] | None:
        """Words of each sentence; None for pairs."""
        return None if self.task.kind == "classification" else self.rows["tokens"][:]

    def in_order(self, predictions: np.ndarray, label_ids: np.ndarray) -> list:
        """The model's predictions in the shape and order of `references`.

        Args:
            predictions: in the order of `features`, label ids; for parsing (N, W, 2) heads and relation ids, as from
                `trees.decode`.
            label_ids: the labels in the order and shape in which the Trainer returns them.
        """
        if self.task.kind == "classification":
            ordered = np.empty_like(predictions)
            ordered[self.features["sentence"][:]] = predictions
            return ordered.tolist()
        if self.task.kind == "parsing":
            return complete_trees(self.task, self.features, predictions.tolist(), list(map(len, self.rows["heads"])))
        return join_tags(self.features, at_labels(predictions, label_ids), len(self.rows))

    def score(self, predictions: list) -> dict[str, float]:
        return score(self.task, predictions, self.references)

    def at_chance(self, scores: dict[str, float]) -> bool:
        """Whether scores are no better than those of always predicting the most frequent label or arc.

        Compared by accuracy where the task has it: a constant answer says little in terms of XTREME's POS F1.
        """
        metric = "accuracy" if "accuracy" in scores else self.task.metric
        return scores[metric] <= self.majority_scores()[metric]

    def majority_scores(self) -> dict[str, float]:
        """The scores of always predicting the most frequent label or arc of this set."""
        return self.score(majority_predictions(self.task, self.references))


@dataclass(frozen=True)
class RunRows:
    """The rows of a run as the source has them."""

    task: Task
    source: Source
    train: Dataset
    development: Dataset
    evaluation: dict[str, Dataset]


@dataclass(frozen=True)
class RunData:
    """Everything a run reads, encoded. Runs of the same task, data and tokenizer can share it."""

    task: Task
    source: Source
    tokenizer: PreTrainedTokenizerBase
    train: Dataset
    train_samples: int
    development: EvalSet
    evaluation: dict[str, EvalSet]


def load_rows(arguments: RunArguments) -> RunRows:
    """Load the training language's training and development data, and what is to be scored.

    Raises:
        InputError: data that are missing or malformed, an unknown language, or none with data.
    """
    task = get_task(arguments.task)
    source = open_source(arguments.data)
    languages = _languages(arguments, source.languages(task, arguments.eval_split))

    def rows(split: str, language: str, limit: int | None) -> Dataset:
        loaded = source.load(task, split, language)
        return loaded if limit is None else loaded.select(range(min(limit, len(loaded))))

    train = rows("train", arguments.train_language, arguments.max_train_samples)
    if arguments.train_half is not None:
        train = train.select(_half(arguments, source, len(train)))
    if arguments.shuffle_labels:
        train = _shuffled(task, train)
    return RunRows(
        task=task,
        source=source,
        train=train,
        development=rows(
            "validation", arguments.train_language, arguments.max_dev_samples or arguments.max_eval_samples
        ),
        evaluation={
            language: rows(arguments.eval_split, language, arguments.max_eval_samples) for language in languages
        },
    )


def _half(arguments: RunArguments, source: Source, rows: int) -> list[int]:
    """Places of the easier or harder half of the first `rows` training sentences of a task made from trees."""
    task = get_task(arguments.task)
    if task.rung is None:
        raise InputError(f"--train_half {arguments.train_half}: {task.name} has no trees; expected a task of uddep")
    trees = source.load(get_task("uddep"), "train", arguments.train_language).select(range(rows))
    return half(trees, arguments.train_half, arguments.half_by)  # pyright: ignore[reportArgumentType]


def _shuffled(task: Task, rows: Dataset) -> Dataset:
    """The same rows with their labels dealt out anew, over all words or pairs."""
    if task.kind == "parsing":
        raise InputError(f"--shuffle_labels: {task.name} has trees; expected a task with labels of words or pairs")
    column = LABEL_COLUMNS[task.kind]
    labels: list = rows[column][:]
    flat = labels if task.kind == "classification" else [tag for tags in labels for tag in tags]
    dealt = np.random.default_rng(0).permutation(flat).tolist()
    if task.kind == "tagging":
        remaining = iter(dealt)
        dealt = [[next(remaining) for _ in tags] for tags in labels]
    return Dataset.from_dict({**{name: rows[name][:] for name in rows.column_names}, column: dealt}, rows.features)


def open_tokenizer(arguments: RunArguments) -> PreTrainedTokenizerBase:
    """The encoder's tokenizer.

    Raises:
        InputError: it cannot be opened, is a slow one, or reads less than `max_length`.
    """
    name = arguments.model_name_or_path
    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve_encoder(name), revision=arguments.model_revision)
    except InputError:
        raise
    except Exception as error:  # OSError, ValueError, KeyError, ... by what is wrong with the folder or repository
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"cannot open the tokenizer of {name} ({type(error).__name__}): {reason}") from error
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what transformers makes of no files at all
        raise InputError(f"cannot open the tokenizer of {name}: it has no vocabulary, are its files missing?")
    if not tokenizer.is_fast:
        raise InputError(f"{name}: {type(tokenizer).__name__} is a slow tokenizer: expected one backed by tokenizers")
    least = tokenizer.num_special_tokens_to_add(pair=get_task(arguments.task).kind == "classification") + 1
    if not least <= arguments.max_length <= tokenizer.model_max_length:
        raise InputError(
            f"--max_length {arguments.max_length}: expected {least} (special tokens and one more) to "
            f"{tokenizer.model_max_length} for {arguments.task} with {name}"
        )
    return tokenizer


def prepare(arguments: RunArguments) -> RunData:
    """Load and encode what a run reads.

    Raises:
        InputError: as `load_rows` and `open_tokenizer`.
    """
    disable_progress_bars()
    tokenizer = open_tokenizer(arguments)
    rows = load_rows(arguments)
    task = rows.task
    return RunData(
        task=task,
        source=rows.source,
        tokenizer=tokenizer,
        train=encode(task, rows.train, tokenizer, arguments.max_length, arguments.label_piece),  # pyright: ignore
        train_samples=len(rows.train),
        development=EvalSet.encode(task, rows.development, tokenizer, arguments),
        evaluation={
            language: EvalSet.encode(task, loaded, tokenizer, arguments)
            for language, loaded in rows.evaluation.items()
        },
    )


def asked_languages(arguments: RunArguments) -> list[str] | None:
    """The languages given with `--languages`; None for all.

    Raises:
        InputError: it names none.
    """
    if arguments.languages is None:
        return None
    codes = list(dict.fromkeys(code for code in arguments.languages.replace(" ", ",").split(",") if code))
    if not codes:
        raise InputError(f"--languages {arguments.languages!r}: expected codes such as 'de,ru,zh'")
    return codes


def _languages(arguments: RunArguments, available: list[str]) -> list[str]:
    """What is asked for, as far as there is data: the tasks of XTREME differ in their languages."""
    asked = asked_languages(arguments)
    if asked is None:
        if not available:
            raise InputError(f"{arguments.data}: no {arguments.eval_split} data for {arguments.task}")
        return available
    there = [code for code in asked if code in available]
    unknown = [code for code in asked if code not in available and code not in LANGUAGES]
    if unknown or not there:
        raise InputError(
            f"--languages {arguments.languages}: no {arguments.eval_split} data for {', '.join(unknown or asked)} in "
            f"{arguments.data}; {arguments.task} has {', '.join(available) or 'none'}"
        )
    return there
