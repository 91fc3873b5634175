"""Multiple choice: a prompt, and choices of which one is right, as COPA, HellaSwag and CommonsenseQA ask for it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...errors import InputError
from ..choice_rows import COLUMNS, FEWEST, ChoiceRow, ChoicesCollator, choice_row, encode_choices, read_choices
from ..columns import Column
from ..encoding import LabelPiece
from ..readers import json_objects, known_labels
from .base import Answers
from .one_label import OneLabel
from .shown import Field, Picture


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForMultipleChoice
    from ..task import Task


class Choices(OneLabel):
    """Choices after a prompt, any number from two on, of which one is right.

    A label is its place, from 0 on; a task with labels has names for the places, such as A, B, C.
    """

    name = "choices"
    file_columns = COLUMNS
    makes_columns = True
    fewest_labels = 0
    suffix = ".jsonl"
    cuts = True
    auto_class = "AutoModelForMultipleChoice"
    pipeline_tag = "multiple-choice"
    sample_folder = "xcopa"

    @property
    def model_class(self) -> "type[DLFAForMultipleChoice]":
        from ...modeling_dlfa import DLFAForMultipleChoice

        return DLFAForMultipleChoice

    def outputs(self, task: "Task") -> tuple[str, ...]:
        return ("score",)

    def special_tokens(self, task: "Task", tokenizer: PreTrainedTokenizerBase) -> int:
        return tokenizer.num_special_tokens_to_add(pair=True)

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        texts = {"id": Value("string"), "prompt": Value("string"), "choices": List(Value("string"))}
        return Features({**texts, "label": Value("int64")})

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """A file of a task of the Hub may have its columns instead of ours."""
        own = task.files.columns if task.files is not None else {}
        columns: Mapping[str, Column] = {name: column for name, column in own.items() if not isinstance(column, int)}
        words: Mapping[str, Mapping[str, str]] = {}
        if not columns and task.hub is not None and path.suffix == ".jsonl":
            first = next((values for _, _, values in json_objects(path)), {})
            if "prompt" not in first:
                columns, words = task.hub.columns, task.hub.words
        return self._columns(read_choices(path, columns, words, known_labels(task), labelled))

    @staticmethod
    def _columns(rows: Sequence[ChoiceRow]) -> dict[str, list]:
        return {name: [getattr(row, name) for row in rows] for name in ("id", *COLUMNS)}

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        raise InputError(
            f"{path}: labels: expected names of the places, such as A, B, C, or none where choices are numbered from 0"
        )

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return COLUMNS

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        known, label = known_labels(task), features["label"]
        if known and isinstance(label, ClassLabel):
            names = dict(enumerate(label.names or ()))
            columns = {**columns, "label": [names.get(one, one) for one in columns["label"]]}
        rows = zip(*(columns[name] for name in COLUMNS), strict=True)
        return self._columns(
            [
                choice_row(dict(zip(COLUMNS, row, strict=True)), f"{where}: row {number}", known)
                for number, row in enumerate(rows)
            ]
        )

    def different_answers(self, task: "Task", columns: Mapping[str, list]) -> int:
        return max(map(len, columns["choices"]))

    def shuffled(self, task: "Task", rows: Dataset, draw: np.random.Generator) -> Dataset:
        """Dealt out among rows with as many choices."""
        counts, labels = np.array([len(choices) for choices in rows["choices"][:]]), np.array(rows["label"][:])
        for count in np.unique(counts):
            labels[counts == count] = draw.permutation(labels[counts == count])
        columns = {name: rows[name][:] for name in rows.column_names}
        return Dataset.from_dict({**columns, "label": labels.tolist()}, rows.features)

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
        return encode_choices(rows, tokenizer, max_length)

    def full(self, features: Dataset, max_length: int) -> int:
        return sum(max(map(len, choices)) >= max_length for choices in features["input_ids"])

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return ChoicesCollator(tokenizer)

    def label_names(self, task: "Task", labels: Sequence) -> list:
        """Places: what is right is a choice, whatever its place is called."""
        return [int(label) for label in labels]

    def metric_features(self) -> Any:
        return Value("int64")

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        return "".join(json.dumps({"label": label}) + "\n" for label in names)

    def read_predictions(self, task: "Task", path: Path) -> list:
        labels = []
        for where, line, values in json_objects(path):
            label = values.get("label")
            if type(label) is not int or label < 0:
                raise InputError(f"{where}: expected a number from 0 on under 'label', found {line!r}")
            labels.append(label)
        return labels

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        rows = []
        for number, text in enumerate(texts, start=1):
            parts = [part.strip() for part in (text.split("\t") if isinstance(text, str) else text)]
            if len(parts) <= FEWEST or not all(parts):
                raise InputError(f"text {number}: expected prompt<tab>choice<tab>choice ..., found {text!r}")
            values = {"prompt": parts[0], "choices": parts[1:]}
            rows.append(choice_row(values, f"text {number}", known_labels(task), labelled=False))
        return self._columns(rows), [{} for _ in texts]

    def confident(self, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The best choice of each row, and the probability of every one (B, C)."""
        probabilities = outputs.logits.float().softmax(dim=-1)
        return probabilities.argmax(dim=-1), probabilities

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        found = []
        for row, label, probabilities in zip(rows.to_list(), answers.names, answers.probabilities, strict=True):
            named = {"id": row["id"]} if row["id"] else {}
            texts = {"prompt": row["prompt"], "choices": row["choices"], "answer": row["choices"][label]}
            shares = [round(one, 4) for one in probabilities[: len(row["choices"])]]
            name = task.labels[label] if task.labels else label
            found.append({**named, **texts, "label": name, "probabilities": shares})
        return found

    def fields(self, task: "Task") -> tuple[Field, ...]:
        return Field("Prompt", lines=2), Field("Choices", lines=4, hint="one a line")

    def asked(self, task: "Task", typed: Sequence[str]) -> str | tuple[str, ...]:
        super().asked(task, typed)
        prompt, choices = typed
        found = [line for line in choices.splitlines() if line.strip()]
        if len(found) < 2:
            raise InputError(f"{self.fields(task)[1].label}: expected two or more, each on a line of its own")
        return prompt, *found

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        return row["prompt"], "\n".join(row["choices"])

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        shares = zip(answer["choices"], answer["probabilities"], strict=True)
        return Picture(headline=answer["answer"], shares=tuple(shares))

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        return EXAMPLE.format(repository=repository)


EXAMPLE = """from transformers import AutoModelForMultipleChoice, AutoTokenizer

source = {{"revision": "<commit>", "trust_remote_code": True}}
name = "{repository}"
tokenizer = AutoTokenizer.from_pretrained(name, **source)
model = AutoModelForMultipleChoice.from_pretrained(name, **source)
prompt, choices = "It rains. What happens as a result?", ["The street gets wet.", "The sun shines."]
inputs = tokenizer([prompt] * len(choices), choices, padding=True, return_tensors="pt")
logits = model(**{{name: values[None] for name, values in inputs.items()}}).logits  # (1, choices)
print(choices[logits.argmax()])

# With the probability of each: modeling_dlfa.predict(name, [(prompt, *choices)])"""
