"""Pairs of sentences with one label, or single sentences: inference, paraphrases, sentiment, topics."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, Value
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from ...errors import InputError
from ..encoding import LabelPiece, check_fast
from ..readers import Record, known_labels, label_id, place, table
from .base import Answers, label_name
from .examples import pipeline_example
from .normalise import label_ids
from .one_label import OneLabel
from .probe import Probe
from .shown import Field, Picture


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForSequenceClassification
    from ..task import Task


class Pairs(OneLabel):
    """One label for a pair of sentences. A task whose columns do not name `sentence2` has single sentences."""

    name = "pairs"
    file_columns = ("sentence1", "sentence2", "label")
    problem_type = "single_label_classification"
    cuts = True
    auto_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    probe: ClassVar[Probe | None] = Probe((1, 2, 4, 8, 16, 32), 1e-3)
    sample_folder = "xnli"

    @property
    def model_class(self) -> "type[DLFAForSequenceClassification]":
        from ...modeling_dlfa import DLFAForSequenceClassification

        return DLFAForSequenceClassification

    def special_tokens(self, task: "Task", tokenizer: PreTrainedTokenizerBase) -> int:
        return tokenizer.num_special_tokens_to_add(pair=len(self.texts(task)) > 1)

    @staticmethod
    def texts(task: "Task") -> tuple[str, ...]:
        """The columns with text."""
        single = task.own_columns and "sentence2" not in task.own_columns
        return ("sentence1",) if single else ("sentence1", "sentence2")

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        texts = {name: Value("string") for name in self.texts(task)}
        return Features({**texts, "label": ClassLabel(names=list(task.labels))})

    def _records(self, task: "Task", path: Path, names: Sequence[str]) -> Iterable[Record]:
        columns = task.files.columns if task.files is not None else {}
        if "label" not in names and not columns and path.suffix == ".tsv":
            columns = {name: place for place, name in enumerate(names)}  # whatever stands behind them
        return table(path, names, columns)

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        known, texts = known_labels(task), self.texts(task)
        names = (*texts, "label") if labelled else texts
        columns: dict[str, list] = {name: [] for name in (*texts, "label")}
        for record in self._records(task, path, names):
            for name in texts:
                if labelled and task.files is not None and not record.values[name].strip():
                    raise record.fault(f"text {place(task.files.columns, name)}", "nothing")
                columns[name].append(record.values[name])
            columns["label"].append(label_id(task, known, record, "label", names) if labelled else 0)
        return columns

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        names = (*self.texts(task), "label")
        found = [record.values["label"] for record in self._records(task, path, names)]
        named = any(isinstance(column, str) for column in task.own_columns.values())
        if found and path.suffix == ".tsv" and not named:
            counts = Counter(found)
            if counts.pop(found[0]) == 1 and min(counts.values(), default=1) > 1:
                raise InputError(
                    f"{path}:1: expected a row, found the label {found[0]!r}, which stands nowhere else: if this is a "
                    "header, name its columns; else list the labels"
                )
        return found

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        texts = {name: [sentence or "" for sentence in columns[name]] for name in self.texts(task)}
        return {**texts, "label": label_ids(task, columns["label"], features["label"], where)}

    def shuffled(self, task: "Task", rows: Dataset, draw: np.random.Generator) -> Dataset:
        columns = {name: rows[name][:] for name in rows.column_names}
        return Dataset.from_dict({**columns, "label": draw.permutation(columns["label"]).tolist()}, rows.features)

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
        return encode_pairs(rows, tokenizer, max_length)

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return DataCollatorWithPadding(tokenizer)

    def label_names(self, task: "Task", labels: Sequence) -> list:
        return [label_name(task, label) for label in labels]

    def metric_features(self) -> Any:
        return Value("string")

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        return "\n".join(names) + "\n"

    def read_predictions(self, task: "Task", path: Path) -> list:
        labels = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if (label := line.strip()) not in task.labels:
                raise InputError(f"{path}:{number}: expected one of {', '.join(task.labels)}, found {label!r}")
            labels.append(label)
        return labels

    formats = ("tsv", "csv", "jsonl")

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        names = self.texts(task)
        columns: dict[str, list] = {name: [] for name in names} | {"label": [0] * len(texts)}
        for number, text in enumerate(texts, start=1):
            parts = text.split("\t") if isinstance(text, str) else list(text)
            if len(parts) != len(names):
                raise InputError(f"text {number}: expected {'<tab>'.join(names)}, found {len(parts)} fields: {text!r}")
            for name, part in zip(names, parts):
                columns[name].append(part.strip())
        return columns, [{} for _ in texts]

    def confident(self, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The label of each row, and the probability of every one (B, C)."""
        probabilities = outputs.logits.float().softmax(dim=-1)
        return probabilities.argmax(dim=-1), probabilities

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        texts = rows.select_columns(list(self.texts(task))).to_list()
        found = []
        for text, name, probabilities in zip(texts, answers.names, answers.probabilities, strict=True):
            shares = {label: round(p, 4) for label, p in zip(task.labels, probabilities, strict=True)}
            found.append({**text, "label": name, "probability": shares[name], "probabilities": shares})
        ours = self._own_names(task)
        return [{ours.get(str(name), str(name)): value for name, value in one.items()} for one in found]

    @staticmethod
    def _own_names(task: "Task") -> dict[str, str]:
        """Our column name -> that of the task's files, where they have a header, and an answer has no such field."""
        columns = task.files.columns if task.files is not None else {}
        taken = ("probability", "probabilities")
        return {ours: name for ours, name in columns.items() if isinstance(name, str) and name not in taken}

    def format_answers(self, task: "Task", described: Sequence[Mapping[str, Any]], form: str) -> str:
        if form == "jsonl":
            return super().format_answers(task, described, form)
        own = self._own_names(task)
        names = [own.get(name, name) for name in (*self.texts(task), "label", "probability")]
        buffer = io.StringIO()
        quoting = {"quoting": csv.QUOTE_NONE, "quotechar": None} if form == "tsv" else {}
        writer = csv.writer(buffer, delimiter="\t" if form == "tsv" else ",", lineterminator="\n", **quoting)
        writer.writerow(names)
        for one in described:
            fields = [str(one[name]) for name in names]
            writer.writerow([" ".join(field.split()) for field in fields] if form == "tsv" else fields)
        return buffer.getvalue()

    def fields(self, task: "Task") -> tuple[Field, ...]:
        texts = self.texts(task)
        return (Field("Text", lines=3),) if len(texts) == 1 else (Field("Sentence 1", 2), Field("Sentence 2", 2))

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(row[name] for name in self.texts(task))

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        label = self._own_names(task).get("label", "label")
        return Picture(headline=answer[label], shares=tuple(answer["probabilities"].items()))

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        pair = '{"text": "A man is sleeping.", "text_pair": "Somebody sleeps."}'
        return pipeline_example(self, repository, pair if len(self.texts(task)) > 1 else '"A man is sleeping."')

    # -----------------------------------------------------------------------------------------------------------------
    # Layers, and what is in them
    # -----------------------------------------------------------------------------------------------------------------

    def sentences(self, rows: Dataset) -> list[str]:
        """The last of each row: several rows of XNLI share their first one."""
        return rows["sentence2" if "sentence2" in rows.column_names else "sentence1"][:]

    def known(
        self, task: "Task", model: Any, states: torch.Tensor, batch: Mapping[str, torch.Tensor]
    ) -> Iterable[tuple[Any, Any]]:
        """The pooled vector of a pair, which counts as one word."""
        pooled = model.pool(states, batch["attention_mask"])
        return [(state[None], label[None]) for state, label in zip(pooled, batch["labels"], strict=True)]

    def of_known(self, labels: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"labels": labels.squeeze(1)}


def encode_pairs(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Encode sentence pairs, or single sentences, one row each.

    Args:
        dataset: columns `sentence1`, `sentence2` if there is a second one, and `label`.
        max_length: sub-words of a row, special tokens included; of two sentences the longer is cut first.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids` as far as the tokenizer makes them, `labels` (ids) and
        `length` (sub-words).
    """
    check_fast(tokenizer)

    def encode_batch(batch: dict[str, list]) -> dict[str, list]:
        texts = [batch[name] for name in ("sentence1", "sentence2") if name in batch]
        first, second = texts[0], (texts[1] if len(texts) > 1 else None)
        encoded = tokenizer(first, second, truncation="longest_first", max_length=max_length, padding=False)
        columns = {name: encoded[name] for name in tokenizer.model_input_names if name in encoded}
        return columns | {"labels": batch["label"], "length": [len(ids) for ids in columns["input_ids"]]}

    return dataset.map(encode_batch, batched=True, remove_columns=dataset.column_names, desc="Encoding pairs")
