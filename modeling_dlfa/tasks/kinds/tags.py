"""A tag for every word: entities, parts of speech, and the rungs of the ladder that are labels of words."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from seqeval.metrics.sequence_labeling import get_entities
from transformers import DataCollatorForTokenClassification, PreTrainedTokenizerBase

from ...errors import InputError
from ..encoding import IGNORED, INPUT_FEATURES, LabelPiece, WordPieces, encoded_dataset
from ..readers import Record, known_labels, label_id, sentences
from ..rungs import RUNGS
from ..scores import accuracy, check_same_words, flat, in_percent, most_frequent, span_counts, span_scores
from ..trees import Tree
from ..wikiann import common_prefix, without_prefix
from ..words import running_text, words_of
from .base import Answers, Kind, label_name
from .examples import pipeline_example
from .normalise import label_ids
from .probe import Probe
from .shown import LabelledWord, Mark, Picture


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForTokenClassification
    from ..task import Task


ENTITY = re.compile("[BIES]-.")  # a label of a word of an entity


class Tags(Kind):
    """One label for every word of a sentence."""

    name = "tags"
    file_columns = ("tokens", "tags")
    label_column = "tags"
    metrics = ("accuracy", "f1")
    beside = {"f1": ("precision", "recall")}
    auto_class = "AutoModelForTokenClassification"
    pipeline_tag = "token-classification"
    sample_epochs = 3
    sample_folder = "panx"
    probe: ClassVar[Probe | None] = Probe((1, 2, 4, 8, 16, 32), 1e-2)

    @property
    def model_class(self) -> "type[DLFAForTokenClassification]":
        from ...modeling_dlfa import DLFAForTokenClassification

        return DLFAForTokenClassification

    def default_metric(self, labels: Sequence[str]) -> str:
        """F1 of spans for entities as IOB or IOBES tags, accuracy else."""
        entities = [label for label in labels if label != "O"]
        return "f1" if entities and all(map(ENTITY.match, entities)) else "accuracy"

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        return Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=list(task.labels)))})

    def _sentences(self, task: "Task", path: Path, names: Sequence[str]) -> Iterable[list[Record]]:
        ours = {"tokens": "token", "tags": "tag"}
        columns = {} if task.files is None else {ours[name]: place for name, place in task.files.columns.items()}
        if names == ("token",) and not columns and path.suffix not in (".conllu", ".jsonl"):
            columns = {"token": 0}  # whatever stands behind it
        return sentences(path, names, columns, "\t" if task.files is None else task.files.separator)

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        known = known_labels(task)
        names = ("token", "tag") if labelled else ("token",)
        columns: dict[str, list] = {"tokens": [], "tags": []}
        found: list[list[Record]] = []
        for words in self._sentences(task, path, names):
            columns["tokens"].append([word.values["token"] for word in words])
            columns["tags"].append([label_id(task, known, word, "tag", names) if labelled else 0 for word in words])
            found.append(words)
        language = language or common_prefix(columns["tokens"])
        words = [token for tokens in columns["tokens"] for token in tokens]
        if not labelled and words and all(len(word.split()) > 1 for word in words):
            raise InputError(
                f"{found[0][0].where}: expected a word a line, found spaces in every line: fields are separated by "
                "tabs, and running text belongs into a .txt file"
            )
        if language:
            columns["tokens"] = without_prefix(columns["tokens"], language, lambda s, w: found[s][w].where)
        return columns

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        return [word.values["tag"] for words in self._sentences(task, path, ("token", "tag")) for word in words]

    def check_metrics(self, task: "Task") -> None:
        """Entities are counted by their labels' prefixes; others would be joined, or parted, without a word."""
        if "f1" not in task.metrics:
            return
        for label in task.labels:
            if label != "O" and not ENTITY.match(label):
                raise InputError(
                    f"metric: f1 counts entities labelled O, B-X, I-X (or E-X, S-X), found {label!r}: expected such "
                    "labels, or the metric accuracy"
                )

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        rows = [(tokens, tags) for tokens, tags in zip(columns["tokens"], columns["tags"], strict=True) if tokens]
        for tokens, tags in rows:
            if len(tokens) != len(tags):
                raise InputError(f"{where}: {len(tokens)} tokens have {len(tags)} tags: {' '.join(tokens)[:80]!r}")
        ids = iter(label_ids(task, [tag for _, tags in rows for tag in tags], features["tags"].feature, where))
        tokens = [tokens for tokens, _ in rows]
        return {
            "tokens": without_prefix(tokens, language, lambda sentence, _: f"{where}: sentence {sentence + 1}"),
            "tags": [[next(ids) for _ in tags] for _, tags in rows],
        }

    def from_trees(self, task: "Task", trees: Sequence[Tree]) -> dict[str, list]:
        return {"tokens": [tree.tokens for tree in trees], "tags": rung_labels(task, trees)}

    def labels_of(self, columns: Mapping[str, list]) -> list:
        return flat(columns["tags"])

    def shuffled(self, task: "Task", rows: Dataset, draw: np.random.Generator) -> Dataset:
        columns = {name: rows[name][:] for name in rows.column_names}
        remaining = iter(draw.permutation(flat(columns["tags"])).tolist())
        dealt = [[next(remaining) for _ in tags] for tags in columns["tags"]]
        return Dataset.from_dict({**columns, "tags": dealt}, rows.features)

    def tokens(self, rows: Dataset) -> list[list[str]] | None:
        return rows["tokens"][:]

    # -----------------------------------------------------------------------------------------------------------------
    # From rows to the model, and back
    # -----------------------------------------------------------------------------------------------------------------

    def encode(
        self,
        task: "Task",
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        label_piece: LabelPiece = "character",
    ) -> Dataset:
        return encode_tags(rows, tokenizer, max_length, label_piece)

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED)

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        return join_tags(features, at_labels(predictions, label_ids), len(rows))

    def references(self, rows: Dataset) -> list:
        return rows["tags"][:]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        check_same_words(predicted, gold)
        names = self.label_names(task, predicted), self.label_names(task, gold)
        scores = {"accuracy": accuracy(flat(names[0]), flat(names[1]))} if "accuracy" in task.metrics else {}
        return in_percent(scores | (span_scores(*names) if "f1" in task.metrics else {}))

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        names = list(zip(self.label_names(task, predicted), self.label_names(task, gold), strict=True))
        if task.metric == "f1":
            return np.array([span_counts(p, g) for p, g in names], dtype=np.int64)
        return word_counts(names)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        tag = most_frequent(flat(seen))
        return [[tag] * len(words) for words in (seen if asked is None else asked)]

    def label_names(self, task: "Task", labels: Sequence) -> list:
        return [[label_name(task, tag) for tag in tags] for tags in labels]

    def metric_features(self) -> Any:
        return List(Value("string"))

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        if not all(names):
            raise ValueError("a sentence without tags cannot be written")
        return "\n\n".join("\n".join(tags) for tags in names) + "\n"

    def read_predictions(self, task: "Task", path: Path) -> list:
        found: list[list[str]] = [[]]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not (label := line.strip()):
                found.append([])
            elif label not in task.labels:
                raise InputError(f"{path}:{number}: expected one of {', '.join(task.labels)}, found {label!r}")
            else:
                found[-1].append(label)
        return [tags for tags in found if tags]

    formats = ("conll", "jsonl")

    def check_running_text(self, path: Path, lines: Sequence[str]) -> None:
        if lines and all("\t" in line for line in lines):
            raise InputError(
                f"{path}: expected running text, found a tab in every line: words with labels, a word a line, belong "
                "into a .conll or .tsv file"
            )

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        tokens, known = words_and_places(texts, tokenizer)
        return {"tokens": tokens, "tags": [[0] * len(words) for words in tokens]}, known

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        both = zip(rows["tokens"][:], answers.names, answers.probabilities, strict=True)
        return [
            {"tokens": tokens, "tags": tags, "probabilities": [round(p, 4) for p in probabilities]}
            for tokens, tags, probabilities in both
        ]

    def format_answers(self, task: "Task", described: Sequence[Mapping[str, Any]], form: str) -> str:
        if form == "jsonl":
            entities = self.has_entities(task)
            with_spans = [{**one, "entities": spans_of(one)} if entities else one for one in described]
            return super().format_answers(task, with_spans, form)
        return "".join(
            "".join(f"{word}\t{tag}\t{p}\n" for word, tag, p in zip(one["tokens"], one["tags"], one["probabilities"]))
            + "\n"
            for one in described
        )

    def has_entities(self, task: "Task") -> bool:
        """Whether the labels mark entities of one or more words."""
        return self.default_metric(task.labels) == "f1"

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        return (running_text(row["tokens"]),)

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        words = map(LabelledWord, answer["tokens"], answer["tags"], answer["probabilities"])
        if not self.has_entities(task):
            return Picture(words=tuple(words))
        marks = tuple(Mark(one["start"], one["end"], one["label"]) for one in spans_of(answer))
        return Picture("" if marks else "no entity", text=answer["text"], marks=marks, words=tuple(words))

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        return pipeline_example(self, repository, '"Angela Merkel was born in Hamburg."')

    # -----------------------------------------------------------------------------------------------------------------
    # Layers, and what is in them
    # -----------------------------------------------------------------------------------------------------------------

    def check_layer_logits(self, task: "Task") -> None:
        """Logits are (B, T, C)."""

    def known(
        self, task: "Task", model: Any, states: torch.Tensor, batch: Mapping[str, torch.Tensor]
    ) -> Iterable[tuple[Any, Any]]:
        """The states of the words' label pieces."""
        words = [row != IGNORED for row in batch["labels"]]
        return [(row[at], gold[at]) for row, gold, at in zip(states, batch["labels"], words, strict=True)]

    def of_known(self, labels: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"labels": labels}


def words_and_places(
    texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """Words of texts, and of running text also the text and the places of its words.

    Raises:
        InputError: a text has no word.
    """
    tokens: list[list[str]] = []
    known: list[dict[str, Any]] = []
    for number, text in enumerate(texts, start=1):
        places = words_of(text, tokenizer) if isinstance(text, str) else []
        words = [text[start:end] for start, end in places] if isinstance(text, str) else list(text)
        if not words or not all(words):
            raise InputError(f"text {number}: expected words, found {text!r}")
        tokens.append(words)
        known.append({"text": text, "spans": [list(place) for place in places]} if isinstance(text, str) else {})
    return tokens, known


def spans_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entities of a sentence as seqeval reads its tags: label, text, and where in the text, or which words."""
    found = []
    for label, first, last in get_entities(list(answer["tags"])):
        if "spans" in answer:
            start, end = answer["spans"][first][0], answer["spans"][last][1]
            found.append({"label": label, "text": answer["text"][start:end], "start": start, "end": end})
        else:
            words = " ".join(answer["tokens"][first : last + 1])
            found.append({"label": label, "text": words, "first_word": first, "last_word": last})
    return found


def rung_labels(task: "Task", trees: Sequence[Tree]) -> list[list[int]]:
    """The label ids that a task gives to the words of trees; without a rung these are the relations."""
    ids = {label: index for index, label in enumerate(task.labels)}
    label_of = RUNGS[task.rung or "tree"].label
    return [[ids[label] for label in label_of(tree)] for tree in trees]


def word_counts(names: Sequence[tuple[Sequence, Sequence]]) -> np.ndarray:
    """(N, 3): of each sentence's (predicted, gold) words how many are right, predicted, and there."""
    right = [sum(a == b for a, b in zip(p, g, strict=True)) for p, g in names]
    return np.array([(n, len(p), len(g)) for n, (p, g) in zip(right, names, strict=True)], dtype=np.int64)


def encode_tags(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    label_piece: LabelPiece = "character",
) -> Dataset:
    """Encode tagged sentences, each in one row or, where it is too long, in several.

    Rows are filled with whole words as far as `max_length` goes, as XTREME does. Every word has its label on exactly
    one piece. A word without pieces becomes the unknown token (XTREME); a word longer than a row is cut (our choice;
    XTREME makes it the unknown token).

    Args:
        dataset: columns `tokens` (words) and `tags` (label ids).
        max_length: sub-words of a row, special tokens included.
        label_piece: "character" (our choice) labels a word's first piece that holds characters; "first" (XTREME)
            labels its first piece, a lone "▁" for many words of unspaced scripts in SentencePiece vocabularies.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids` as far as the tokenizer makes them, `labels` (ids, -100 off
        the label pieces), `length` (sub-words), `sentence` (row in `dataset`) and `first_word` (place of the row's
        first word in that sentence).

    Raises:
        InputError: for a slow tokenizer, and a `max_length` that leaves no room beside the special tokens.
    """
    pieces = WordPieces(tokenizer, dataset["tokens"][:], max_length, label_piece)
    rows: list[dict[str, Any]] = []
    for sentence, tags in enumerate(dataset["tags"][:]):
        for words in pieces.filled(sentence):
            ids = [piece for _, word, _ in words for piece in word]
            of_words = [
                tags[place] if index == labelled else IGNORED
                for place, word, labelled in words
                for index in range(len(word))
            ]
            labels = [IGNORED] * len(pieces.before) + of_words + [IGNORED] * len(pieces.after)
            rows.append(pieces.row(ids) | {"labels": labels, "sentence": sentence, "first_word": words[0][0]})
    return encoded_dataset(rows, [*pieces.columns, "labels", "sentence", "first_word"], _FEATURES)


_FEATURES = INPUT_FEATURES | {"labels": List(Value("int64")), "first_word": Value("int64")}


def at_labels(predictions: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """The predicted label ids of each row at its labelled positions.

    Args:
        predictions: label ids, (rows, positions).
        labels: the rows' `labels`, padded with -100 to the same shape.
    """
    if predictions.shape != labels.shape:
        raise ValueError(f"predictions {predictions.shape} and labels {labels.shape} differ in shape")
    return [row[mask].tolist() for row, mask in zip(predictions, labels != IGNORED, strict=True)]


def join_tags(encoded: Dataset, predictions: Sequence[Sequence[int]], sentences: int) -> list[list[int]]:
    """Put the predictions of split sentences together again.

    Args:
        encoded: what `encode_tags` returned; its rows may have been reordered together with `predictions`.
        predictions: for each of its rows, the predicted label ids of the row's words, as from `at_labels`.
        sentences: number of sentences that were encoded.

    Returns:
        For each sentence the predicted label ids, one per word.

    Raises:
        ValueError: where rows are missing or have more or fewer predictions than words.
    """
    joined: list[list[int]] = [[] for _ in range(sentences)]
    words = [sum(label != IGNORED for label in labels) for labels in encoded["labels"]]
    rows = zip(encoded["sentence"], encoded["first_word"], words, predictions, strict=True)
    for sentence, first_word, count, tags in sorted(rows, key=lambda row: row[:2]):
        if len(joined[sentence]) != first_word:
            raise ValueError(f"sentence {sentence}: {len(joined[sentence])} predictions before word {first_word}")
        if len(tags) != count:
            raise ValueError(f"sentence {sentence}: {len(tags)} predictions for {count} words")
        joined[sentence].extend(tags)
    return joined
