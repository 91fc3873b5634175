"""What a run reads: the rows of training, development and scoring, encoded, and predictions brought back to rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from datasets import Dataset, disable_progress_bars
from transformers import PreTrainedTokenizerBase

from ..data.sources import Source, open_source
from ..encoders import read_tokenizer
from ..errors import InputError
from ..known_states import RowsOfStates, StatesCollator
from ..tasks.encoding import LabelPiece
from ..tasks.halves import half
from ..tasks.languages import LANGUAGES
from ..tasks.registry import get_task
from ..tasks.task import Task
from .arguments import RunArguments
from .encoder_check import check_encoder, check_tokenizer, pools
from .model import encoder_config, open_config, pooling


@dataclass(frozen=True)
class EvalSet:
    """Rows to be scored, as the source has them and encoded (longest first, so that batches hold equal lengths)."""

    task: Task
    rows: Dataset
    features: Dataset
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def encode(
        cls, task: Task, rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, label_piece: LabelPiece
    ):
        features = task.kind.encode(task, rows, tokenizer, max_length, label_piece)
        if "sentence" not in features.column_names:
            features = features.add_column("sentence", list(range(len(features))))  # pyright: ignore
        return cls(task, rows, features.sort("length", reverse=True), tokenizer)

    @property
    def references(self) -> list:
        """The gold answers, as `Kind.references`."""
        return self.task.kind.references(self.rows)

    @property
    def tokens(self) -> list[list[str]] | None:
        """Words of each sentence; None for kinds without."""
        return self.task.kind.tokens(self.rows)

    def in_order(self, predictions: np.ndarray, label_ids: np.ndarray) -> list:
        """What was kept of the model's outputs in the shape and order of `references`, see `Kind.in_order`."""
        found = self.task.kind.in_order(self.task, self.rows, self.features, predictions, label_ids)
        return self.task.kind.in_words(self.task, self.rows, found, self.tokenizer)

    def score(self, predictions: list) -> dict[str, float]:
        return self.task.kind.score(self.task, predictions, self.references)

    def settle(self, predictions: np.ndarray, label_ids: np.ndarray) -> dict[str, Any]:
        """What the task's kind sets on these rows, see `Kind.settle`; arguments as for `in_order`."""
        return self.task.kind.settle(self.task, self.rows, self.features, predictions, label_ids)

    def counts(self, predictions: list) -> np.ndarray:
        """(N, 3), what every row adds to the reported score, see `Kind.counts`; rows that belong together are one.

        Those are in the order of the file, so that a text and its translations have one number in all languages.
        """
        counts = self.task.kind.counts(self.task, predictions, self.references)
        together = self.task.kind.together(self.task, self.rows)
        if together is None:
            return counts
        _, first, found = np.unique(together, return_index=True, return_inverse=True)
        places = np.argsort(np.argsort(first))[found]
        sums = np.zeros((places.max(initial=-1) + 1, counts.shape[1]), counts.dtype)
        np.add.at(sums, places, counts)
        return sums

    def at_chance(self, scores: dict[str, float]) -> bool:
        """Whether scores are no better than those of always predicting the most frequent label or arc.

        Compared by accuracy where the task has it: a constant answer says little in terms of XTREME's POS F1.
        """
        metric = "accuracy" if "accuracy" in scores else self.task.metric
        return scores[metric] <= self.majority_scores()[metric]

    def majority_scores(self) -> dict[str, float]:
        """The scores of always predicting the most frequent label or arc of this set."""
        return self.score(self.task.kind.majority(self.task, self.references))


def encoded(task: Task, rows: Dataset, tokenizer: PreTrainedTokenizerBase, arguments: RunArguments) -> Dataset:
    """What the encoder reads of rows, with the arguments of a run."""
    length, piece = arguments.max_length, arguments.label_piece
    return task.kind.encode(task, rows, tokenizer, length, piece)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class RunRows:
    """The rows of a run as the source has them; `tuning` as `RunData`."""

    task: Task
    source: Source
    train: Dataset
    development: Dataset
    evaluation: dict[str, Dataset]
    tuning: dict[str, Dataset]


@dataclass(frozen=True)
class RunData:
    """Everything a run reads, encoded. Runs of the same task, data and tokenizer can share it.

    `tuning` holds development data of languages that are scored, for kinds that set something on them. `fingerprints`
    are those of the rows, as `data_fingerprints`. With `states`, those of a frozen encoder, every row
    has its number there in a column `states`.
    """

    task: Task
    source: Source
    tokenizer: PreTrainedTokenizerBase
    train: Dataset
    train_samples: int
    development: EvalSet
    evaluation: dict[str, EvalSet]
    fingerprints: dict[str, str]
    tuning: dict[str, EvalSet] = field(default_factory=dict)
    states: RowsOfStates | None = None

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], Any]:
        """Pads rows to a batch, with their states where there are some."""
        collate = self.task.kind.collator(self.tokenizer)
        return collate if self.states is None else StatesCollator(collate, self.states)

    def used_now(self, before: Mapping[str, str]) -> dict[str, str]:
        """What a finished training has used, with what is scored now in place of what was to be scored then."""
        scored = (scored_data(""), tuning_data(""))
        return {name: value for name, value in before.items() if not name.startswith(scored)} | self.fingerprints

    def settled(self, settled: Mapping[str, Any]) -> "RunData":
        """The same rows, of a task for whose model this was set."""
        task = replace(self.task, settled=settled)
        return replace(
            self,
            task=task,
            development=replace(self.development, task=task),
            evaluation={language: replace(one, task=task) for language, one in self.evaluation.items()},
        )


def load_rows(arguments: RunArguments, training: bool = True) -> RunRows:
    """Load the training language's training and development data, and what is to be scored.

    Args:
        training: whether a model is to be trained, where the task is of a kind that trains one; else its data are not
            read, and empty.

    Raises:
        InputError: data that are missing or malformed, an unknown language, or none with data.
    """
    task = get_task(arguments.task)
    source = open_source(arguments.data)
    languages = evaluated_languages(arguments, source)

    def rows(split: str, language: str, limit: int | None) -> Dataset:
        loaded = source.load(task, split, language)
        if arguments.prefix:
            loaded = task.kind.prefixed(task, loaded, arguments.prefix)
        return loaded if limit is None else task.kind.first(loaded, limit)

    evaluation = {language: rows(arguments.eval_split, language, arguments.max_eval_samples) for language in languages}
    tuning = {
        language: rows("validation", language, arguments.development_limit)
        for language in tuned_languages(arguments, source, languages)
    }
    if not (training and task.kind.trains):
        nothing = Dataset.from_dict({})
        return RunRows(task, source, train=nothing, development=nothing, evaluation=evaluation, tuning=tuning)
    train = rows("train", arguments.train_language, arguments.max_train_samples)
    if arguments.train_half is not None:
        train = train.select(_half(arguments, source, len(train)))
    if arguments.shuffle_labels:
        train = task.kind.shuffled(task, train, np.random.default_rng(0))
    return RunRows(
        task=task,
        source=source,
        train=train,
        development=rows("validation", arguments.train_language, arguments.development_limit),
        evaluation=evaluation,
        tuning=tuning,
    )


def _half(arguments: RunArguments, source: Source, rows: int) -> list[int]:
    """Places of the easier or harder half of the first `rows` training sentences of a task made from trees."""
    task = get_task(arguments.task)
    if task.rung is None:
        raise InputError(f"--train_half {arguments.train_half}: {task.name} has no trees; expected a task of uddep")
    trees = source.load(get_task("uddep"), "train", arguments.train_language).select(range(rows))
    return half(trees, arguments.train_half, arguments.half_by)  # pyright: ignore[reportArgumentType]


def open_tokenizer(arguments: RunArguments) -> PreTrainedTokenizerBase:
    """The encoder's tokenizer, after a look at whether the two belong together.

    Raises:
        InputError: it cannot be opened, is a slow one, reads less than `max_length`, or makes what the encoder does
            not read.
    """
    name, revision = arguments.model_name_or_path, arguments.model_revision
    tokenizer = read_tokenizer(name, revision)
    task = get_task(arguments.task)
    least = task.kind.special_tokens(task, tokenizer) + 1
    if not least <= arguments.max_length <= tokenizer.model_max_length:
        raise InputError(
            f"--max_length {arguments.max_length}: expected {least} (special tokens and one more) to "
            f"{tokenizer.model_max_length} for {arguments.task} with {name}"
        )
    config = encoder_config(name, revision)
    check_encoder(name, config, arguments.max_length)
    pairs = least - 1 > tokenizer.num_special_tokens_to_add()
    cls = pools(task.kind.model_class) and pooling(arguments, open_config(name, revision)) == "cls"
    check_tokenizer(name, tokenizer, config, pairs, cls)
    return tokenizer


def prepare(arguments: RunArguments, training: bool = True) -> RunData:
    """Load and encode what a run reads.

    Args:
        training: as for `load_rows`.

    Raises:
        InputError: as `load_rows` and `open_tokenizer`.
    """
    disable_progress_bars()
    tokenizer = open_tokenizer(arguments)
    fingerprints = data_fingerprints(arguments, training)
    rows = load_rows(arguments, training)
    task = rows.task
    if isinstance(arguments.no_answer_threshold, float):
        task = replace(task, settled=task.kind.settled_as(task, arguments.no_answer_threshold))
    training = training and task.kind.trains

    def eval_set(loaded: Dataset) -> EvalSet:
        piece: Any = arguments.label_piece
        return EvalSet.encode(task, loaded, tokenizer, arguments.max_length, piece)

    return RunData(
        task=task,
        source=rows.source,
        tokenizer=tokenizer,
        train=encoded(task, rows.train, tokenizer, arguments) if training else rows.train,
        train_samples=len(rows.train),
        development=eval_set(rows.development)
        if training
        else EvalSet(task, rows.development, rows.development, tokenizer),
        evaluation={language: eval_set(loaded) for language, loaded in rows.evaluation.items()},
        fingerprints=fingerprints,
        tuning={language: eval_set(loaded) for language, loaded in rows.tuning.items()},
    )


def data_fingerprints(arguments: RunArguments, training: bool = True) -> dict[str, str]:
    """Fingerprints of what the rows of a run are taken from, by name: training and development data, and what is
    scored or tuned on, as `scored_data` and `tuning_data` call it.

    Args:
        training: as for `load_rows`.

    Raises:
        InputError: as `load_rows`, for data that are missing.
    """
    task, source, language = get_task(arguments.task), open_source(arguments.data), arguments.train_language
    found = {}
    training = training and task.kind.trains
    if training:
        found["training data"] = source.fingerprint(task, "train", language)
        found["development data"] = source.fingerprint(task, "validation", language)
    if training and arguments.train_half is not None:
        found["trees"] = source.fingerprint(get_task("uddep"), "train", language)
    split = arguments.eval_split
    languages = evaluated_languages(arguments, source)
    for code in languages:
        found[scored_data(code)] = source.fingerprint(task, split, code)
    for code in tuned_languages(arguments, source, languages):
        found[tuning_data(code)] = source.fingerprint(task, "validation", code)
    return found


def scored_data(language: str) -> str:
    """Name of the fingerprint of what is scored in a language."""
    return f"scored data in {language}"


def tuning_data(language: str) -> str:
    """Name of the fingerprint of what a kind sets something on in a language."""
    return f"development data in {language}"


def tuned_languages(arguments: RunArguments, source: Source, languages: list[str]) -> list[str]:
    """Those of the scored languages that have development data, for a kind that sets something on them.

    Where development data are scored themselves, nothing is set on them.
    """
    task = get_task(arguments.task)
    if not task.kind.tunes or arguments.eval_split != "test":
        return []
    there = source.languages(task, "validation")
    return [code for code in languages if code in there]


def asked_languages(arguments: RunArguments) -> list[str] | None:
    """The languages given with `--languages`; None for all.

    Raises:
        InputError: it names none.
    """
    return listed_languages(arguments.languages)


def listed_languages(given: str | None) -> list[str] | None:
    """The codes in a list with commas; None for none, which is all.

    Raises:
        InputError: there is no code in it.
    """
    if given is None:
        return None
    codes = list(dict.fromkeys(code for code in given.replace(" ", ",").split(",") if code))
    if not codes:
        raise InputError(f"--languages {given!r}: expected codes such as 'de,ru,zh'")
    return codes


def evaluated_languages(arguments: RunArguments, source: Source) -> list[str]:
    """What is asked for, as far as there is data: the tasks of XTREME differ in their languages.

    Raises:
        InputError: there is none, or an unknown language is asked for.
    """
    asked, available = asked_languages(arguments), source.languages(get_task(arguments.task), arguments.eval_split)
    spelt: dict[str, str] = {}
    for code in available:
        if (other := spelt.setdefault(code.casefold(), code)) != code:
            raise InputError(
                f"{arguments.task} has {arguments.eval_split} data in {other!r} and {code!r}: expected one spelling "
                "of the language"
            )
    twins = [code for code in available if code.casefold() == arguments.train_language.casefold()]
    if twins and arguments.train_language not in twins:
        raise InputError(
            f"{arguments.task} has {arguments.eval_split} data in {twins[0]!r} and is trained in "
            f"{arguments.train_language!r}: expected one spelling of the language"
        )
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
