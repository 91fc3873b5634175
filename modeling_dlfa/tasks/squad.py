"""Questions about a text: SQuAD's JSON (Rajpurkar et al. 2016, 2018; versions 1.1 and 2), and JSON lines.

A row has `id`, `context`, `question` and `answers`, an object of two lists: `text` as it stands in the context, and
`answer_start`, the place of its first character. Without an answer (version 2) both are empty.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shortened
from ..files import read_object
from .readers import is_text, json_objects


FORMS = (".json", ".jsonl")
COLUMNS = ("id", "context", "question", "answers")


@dataclass(frozen=True)
class Question:
    """One row.

    Attributes:
        texts, starts: of each answer its text and the place of its first character in the context.
    """

    id: str
    context: str
    question: str
    texts: list[str]
    starts: list[int]


def read_questions(path: Path, labelled: bool = True) -> list[Question]:
    """The questions of a file.

    Args:
        path: `.json` in SQuAD's form, or `.jsonl` with a row a line.
        labelled: whether answers are read; else those that are there are not looked at.

    Raises:
        InputError: naming the file and the question, or the line.
    """
    if path.suffix not in FORMS:
        raise InputError(f"{path}: expected a file that ends in {', '.join(FORMS)}")
    if path.suffix == ".jsonl":
        return distinct_questions(((where, values) for where, _, values in json_objects(path)), labelled)
    return distinct_questions(_articles(path), labelled)


def distinct_questions(rows: Iterable[tuple[str, Mapping[str, Any]]], labelled: bool = True) -> list[Question]:
    """Rows that are checked, no two with one id.

    Args:
        rows: where each stands, for messages, and what it holds.

    Raises:
        InputError: as `question_of`, or an id that is there twice.
    """
    found: dict[str, Question] = {}
    for where, values in rows:
        one = question_of(values, where, labelled)
        if one.id in found:
            raise InputError(f"{where}: expected another id for every question, found {one.id!r} twice")
        found[one.id] = one
    return list(found.values())


def question_of(values: Mapping[str, Any], where: str, labelled: bool = True) -> Question:
    """A row that is checked; an id may be a whole number.

    Raises:
        InputError: something is missing, or an answer does not stand where it should.
    """
    texts = {}
    for name in COLUMNS[:3]:
        value = values.get(name)
        texts[name] = str(value) if name == "id" and type(value) is int else value
        if not isinstance(texts[name], str) or not texts[name].strip() or not is_text(texts[name]):
            raise InputError(f"{where}: expected a text under {name!r}, found {shortened(json.dumps(value))}")
    answers = _answers(values.get("answers"), where) if labelled else []
    for text, start in answers:
        there = texts["context"][max(0, start) : max(0, start) + len(text)]
        if start < 0 or there != text or not text.strip():
            raise InputError(
                f"{where}: expected the answer {text!r} at character {start} of the context, found {there!r}"
            )
    return Question(**texts, texts=[text for text, _ in answers], starts=[start for _, start in answers])


def _answers(values: Any, where: str) -> list[tuple[str, int]]:
    """(text, start) of each answer, from a list of objects or an object of lists."""
    if isinstance(values, Mapping) and all(isinstance(values.get(key), list) for key in ("text", "answer_start")):
        pairs = list(zip(values["text"], values["answer_start"], strict=False))
        whole = len(values["text"]) == len(values["answer_start"])
    elif isinstance(values, list) and all(isinstance(one, Mapping) for one in values):
        pairs, whole = [(one.get("text"), one.get("answer_start")) for one in values], True
    else:
        pairs, whole = [], False
    if not whole or not all(isinstance(text, str) and type(start) is int for text, start in pairs):
        raise InputError(
            f"{where}: expected answers, each with its text and answer_start, found {shortened(json.dumps(values))}"
        )
    return pairs


def _articles(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    _, whole = read_object(path)
    for article in _objects(whole.get("data"), f"{path}: data"):
        for paragraph in _objects(
            article.get("paragraphs"), f"{path}: {article.get('title', 'an article')}: paragraphs"
        ):
            start = shortened(str(paragraph.get("context", "")))
            for asked in _objects(paragraph.get("qas"), f"{path}: {start}: qas"):
                where = f"{path}: question {asked.get('id')!r}"
                yield where, {**asked, "context": paragraph.get("context")}


def _objects(values: Any, where: str) -> Iterable[Mapping[str, Any]]:
    if not isinstance(values, list):
        raise InputError(f"{where}: expected a list, as in SQuAD's files, found {shortened(json.dumps(values))}")
    return [_object(one, where) for one in values]


def _object(values: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected an object, found {shortened(json.dumps(values))}")
    return values
