"""Answers that stand in a text: extractive question answering, as SQuAD, XQuAD, MLQA and TyDiQA ask for it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...errors import InputError
from ...files import read_object
from ..answer_scores import best_threshold, exact_match_and_f1, mlqa_words, squad_words
from ..encoding import LabelPiece
from ..scores import check_same_length, in_percent
from ..spans import Span, best_spans, candidates
from ..squad import COLUMNS, Question, distinct_questions, read_questions
from ..windows import WindowsCollator, encode_questions, question_pieces
from .base import Answers as Answered
from .base import Kind
from .shown import Field, Mark, Picture


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForQuestionAnswering
    from ..task import Task


NO_ANSWER = "no answer"
"""The label of a task whose contexts may lack the answer (SQuAD 2); other tasks have no labels."""

ALTERNATIVES = 4  # that a finished run names beside its answer

THRESHOLD = "no_answer_threshold"  # in `Task.settled`
GIVEN = "nothing, it was given"  # what it was set on, where it was not


class Answers(Kind):
    """A question, and the place in a text that answers it. Scores are those of SQuAD, or of MLQA for its languages."""

    name = "answers"
    label_column = "texts"
    metrics = ("em_f1", "em_f1_mlqa")
    beside = dict.fromkeys(metrics, ("exact_match", "f1"))
    fewest_labels = 0
    metric_names = {
        **dict.fromkeys(metrics, "Mean of exact match and F1"),
        **{"exact_match": "Exact match", "f1": "F1"},
    }
    suffix = ".json"
    auto_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    sample_folder = "xquad"

    @property
    def model_class(self) -> "type[DLFAForQuestionAnswering]":
        from ...modeling_dlfa import DLFAForQuestionAnswering

        return DLFAForQuestionAnswering

    def outputs(self, task: "Task") -> tuple[str, ...]:
        return ("start", "end")

    def special_tokens(self, task: "Task", tokenizer: PreTrainedTokenizerBase) -> int:
        return tokenizer.num_special_tokens_to_add(pair=True)

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        texts = {name: Value("string") for name in ("id", "language", "context", "question")}
        return Features({**texts, "texts": List(Value("string")), "starts": List(Value("int64"))})

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        questions = read_questions(path, labelled)
        for one in questions if labelled else ():
            self._check_answered(task, one, f"{path}: question {one.id!r}")
        return self._columns(questions, language)

    @staticmethod
    def _check_answered(task: "Task", one: Question, where: str) -> None:
        if not one.texts and NO_ANSWER not in task.labels:
            raise InputError(
                f"{where}: expected an answer, found none; a task with such questions has the label {NO_ANSWER!r}"
            )

    def _columns(self, questions: Sequence[Question], language: str) -> dict[str, list]:
        names = ("id", "context", "question", "texts", "starts")
        columns = {name: [getattr(one, name) for one in questions] for name in names}
        return {"id": columns.pop("id"), "language": [language] * len(questions), **columns}

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        return [] if all(one.texts for one in read_questions(path)) else [NO_ANSWER]

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return COLUMNS

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        questions = distinct_questions((f"{where}: question {row['id']!r}", row) for row in rows)
        for one in questions:
            self._check_answered(task, one, f"{where}: question {one.id!r}")
        return self._columns(questions, language)

    def labels_of(self, columns: Mapping[str, list]) -> list:
        return [text for texts in columns["texts"] for text in texts or [NO_ANSWER]]

    def sentences(self, rows: Dataset) -> list[str]:
        """The questions."""
        return rows["question"][:]

    def tokens(self, rows: Dataset) -> list[list[str]] | None:
        """Their ids, under which predictions are written."""
        return [[name] for name in rows["id"][:]]

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
        return encode_questions(rows, tokenizer, max_length)

    def full(self, features: Dataset, max_length: int) -> int:
        """Questions that are cut; a context goes on in another window."""
        return len({row for row, cut in zip(features["sentence"][:], features["cut"][:], strict=True) if cut})

    def note_of_full(self, full: int, max_length: int) -> str:
        questions = "1 question is" if full == 1 else f"{full} questions are"
        return f"{questions} longer than {question_pieces(max_length)} sub-words; what lies behind is not read"

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return WindowsCollator(tokenizer)

    def keep(self, logits: Any, labels: torch.Tensor) -> torch.Tensor:
        """The best places of each window for the first and for the last token."""
        return candidates(logits[0], logits[1])

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        return [spans[0].text if spans else "" for spans in self._spans(task, rows, features, predictions)]

    def _spans(self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray) -> list[list[Span]]:
        threshold = task.settled.get(THRESHOLD, 0.0)
        return best_spans(rows["context"][:], features, predictions, self.settles(task), threshold)

    def settles(self, task: "Task") -> bool:
        return NO_ANSWER in task.labels

    def settle(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> dict[str, Any]:
        """The threshold that SQuAD 2's evaluation calls the best, for the task's metric."""
        margins, texts = [], []
        for spans in best_spans(rows["context"][:], features, predictions, may_lack=True):
            nothing = next(span for span in spans if span.start is None)
            best = next((span for span in spans if span.start is not None), None)
            margins.append(np.inf if best is None else nothing.score - best.score)
            texts.append("" if best is None else best.text)
        gold = self.references(rows)
        answered, unanswered = (np.mean(self._scores(task, said, gold), axis=1) for said in (texts, [""] * len(texts)))
        threshold = best_threshold(np.array(margins), answered, unanswered)
        return {THRESHOLD: threshold, "set_on": "development data"}

    def settled_as(self, task: "Task", threshold: float) -> dict[str, Any]:
        if not self.settles(task):
            return super().settled_as(task, threshold)
        return {THRESHOLD: threshold, "set_on": GIVEN}

    def settled_note(self, task: "Task") -> str:
        if THRESHOLD not in task.settled:
            return ""
        given = task.settled["set_on"] == GIVEN
        why = "which was given" if given else "the best one for development data of the training language alone"
        return (
            f"That a text has no answer is said where its score is more than {task.settled[THRESHOLD]:.4g} above the "
            f"best answer's: a threshold {why}."
        )

    def references(self, rows: Dataset) -> list:
        """Of each question the texts that answer it, and their language."""
        pairs = zip(rows["texts"][:], rows["language"][:], strict=True)
        return [{"texts": texts, "language": language} for texts, language in pairs]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        check_same_length(predicted, gold)
        exact, f1 = (float(np.mean(values)) for values in zip(*self._scores(task, predicted, gold), strict=True))
        return in_percent({task.metric: (exact + f1) / 2, "exact_match": exact, "f1": f1})

    @staticmethod
    def _scores(task: "Task", predicted: Sequence, gold: Sequence) -> list[tuple[float, float]]:
        of_mlqa = task.metric == "em_f1_mlqa"
        return [
            exact_match_and_f1(ours, one["texts"], mlqa_words(one["language"]) if of_mlqa else squad_words)
            for ours, one in zip(predicted, gold, strict=True)
        ]

    def together(self, task: "Task", rows: Dataset) -> Sequence | None:
        return rows["context"][:]

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        return np.array([((exact + f1) / 2, 1, 1) for exact, f1 in self._scores(task, predicted, gold)], dtype=float)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        return [""] * len(seen if asked is None else asked)

    def label_names(self, task: "Task", labels: Sequence) -> list:
        return list(labels)

    def metric_features(self) -> Any:
        return Value("string")

    def reference_features(self) -> Any:
        return {"texts": List(Value("string")), "language": Value("string")}

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        if tokens is None:
            raise ValueError("predictions are written with the questions' ids")
        by_id = {name: text for (name,), text in zip(tokens, names, strict=True)}
        return json.dumps(by_id, ensure_ascii=False, indent=1) + "\n"

    def read_predictions(self, task: "Task", path: Path) -> list:
        _, values = read_object(path)
        for name, text in values.items():
            if not isinstance(text, str):
                raise InputError(f"{path}: question {name!r}: expected a text, found {json.dumps(text)}")
        return list(values.values())

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        questions = []
        for number, text in enumerate(texts, start=1):
            parts = text.split("\t") if isinstance(text, str) else list(text)
            if len(parts) != 2 or not all(part.strip() for part in parts):
                raise InputError(f"text {number}: expected question<tab>context, found {text!r}")
            questions.append(Question(str(number), parts[1], parts[0], [], []))
        return self._columns(questions, ""), [{} for _ in texts]

    def confident(self, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kept = candidates(outputs.start_logits, outputs.end_logits)
        return kept, kept[:, :1]

    def answers(
        self,
        task: "Task",
        rows: Dataset,
        features: Dataset,
        predicted: np.ndarray,
        probabilities: np.ndarray,
        labels: np.ndarray,
    ) -> Answered:
        """The best places of each question, and their share of the odds of all that were looked at.

        The score of no answer has the threshold added to it first: with a high one, answers take a larger share.
        """
        names = self._spans(task, rows, features, predicted)
        scores = (torch.tensor([span.score for span in spans], dtype=torch.float64) for spans in names)
        return Answered(names, [of_row.softmax(dim=0).tolist() for of_row in scores])

    def described(self, task: "Task", rows: Dataset, answers: Answered) -> list[dict[str, Any]]:
        found = []
        both = zip(rows["id"][:], rows["question"][:], answers.names, answers.probabilities, strict=True)
        for name, question, spans, shares in both:
            told = [
                {"answer": span.text, "start": span.start, "end": span.end, "probability": round(share, 4)}
                for span, share in zip(spans[: 1 + ALTERNATIVES], shares)
            ]
            nothing = {"answer": "", "start": None, "end": None, "probability": None}
            found.append({"id": name, "question": question, **(told[0] if told else nothing), "others": told[1:]})
        return found

    def fields(self, task: "Task") -> tuple[Field, ...]:
        return Field("Question"), Field("Text", lines=6)

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        return row["question"], row["context"]

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        """The best answer where it stands, and the others by their shares."""
        told = [one for one in (answer, *answer["others"]) if one["probability"] is not None]
        marks = (Mark(answer["start"], answer["end"], "answer"),) if answer["answer"] else ()
        shares = tuple((one["answer"] or NO_ANSWER, one["probability"]) for one in told)
        return Picture(answer["answer"] or NO_ANSWER, shares, typed[1], marks)

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        return EXAMPLE.format(repository=repository)


EXAMPLE = """from transformers import AutoModelForQuestionAnswering, AutoTokenizer

source = {{"revision": "<commit>", "trust_remote_code": True}}
name = "{repository}"
tokenizer = AutoTokenizer.from_pretrained(name, **source)
model = AutoModelForQuestionAnswering.from_pretrained(name, **source)
inputs = tokenizer("Who was born in Hamburg?", "Angela Merkel was born in Hamburg.", return_tensors="pt")
outputs = model(**inputs)
first, last = outputs.start_logits.argmax(), outputs.end_logits.argmax()
print(tokenizer.decode(inputs.input_ids[0, first : last + 1]))

# Longer texts, places and probabilities: modeling_dlfa.predict(name, [(question, context)])"""
