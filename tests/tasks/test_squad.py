"""Files of questions: SQuAD's JSON and JSON lines, and what is said of those that are wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from modeling_dlfa.data.rows import normalise
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.squad import Question, read_questions


CONTEXT = "Maria sings in Rome. Pia paints."


def asked(**changes: Any) -> dict[str, Any]:
    one = {"id": "q1", "question": "Who sings?", "answers": [{"text": "Maria", "answer_start": 0}]}
    return {name: value for name, value in {**one, **changes}.items() if value is not None}


def squad(*qas: dict[str, Any], context: Any = CONTEXT) -> str:
    return json.dumps({"version": "1.1", "data": [{"title": "A", "paragraphs": [{"context": context, "qas": qas}]}]})


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FLAT = {"id": "q1", "context": CONTEXT, "question": "Who sings?", "answers": {"text": ["Maria"], "answer_start": [0]}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", squad(asked())),
        ("a.jsonl", lines(FLAT)),
        ("a.jsonl", lines({**FLAT, "answers": asked()["answers"]})),
    ],
)
def test_both_forms_are_read_alike(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_questions(tmp_path / name) == [Question("q1", CONTEXT, "Who sings?", ["Maria"], [0])]


def test_several_answers_and_none(tmp_path: Path):
    both = [{"text": "Maria", "answer_start": 0}, {"text": "Maria sings", "answer_start": 0}]
    path = tmp_path / "a.json"
    path.write_text(squad(asked(answers=both), asked(id="q2", answers=[], is_impossible=True)), encoding="utf-8")
    one, other = read_questions(path)
    assert (one.texts, one.starts) == (["Maria", "Maria sings"], [0, 0]) and (other.texts, other.starts) == ([], [])


@pytest.mark.parametrize(("name", "text"), [("a.json", squad(asked(id=7))), ("a.jsonl", lines({**FLAT, "id": 7}))])
def test_an_id_may_be_a_number(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert [one.id for one in read_questions(tmp_path / name)] == ["7"]


@pytest.mark.parametrize(("ids", "again"), [(["a", "b"], None), ([1, 2], None), (["a", "b", "a"], "a"), ([1, 1], "1")])
def test_ids_of_a_data_set(ids: list, again: str | None):
    raw = Dataset.from_list([{**FLAT, "id": one} for one in ids])
    if again is None:
        assert normalise(get_task("squad"), raw, "en", "here")["id"][:] == [str(one) for one in ids]
        return
    with pytest.raises(InputError, match=f"^here: question .*: expected another id .*, found '{again}' twice$"):
        normalise(get_task("squad"), raw, "en", "here")


def test_without_labels_answers_are_not_looked_at(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(lines({**FLAT, "answers": "whatever"}, {**FLAT, "id": "q2", "answers": None}), encoding="utf-8")
    assert [one.texts for one in read_questions(path, labelled=False)] == [[], []]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "", "a.tsv: expected a file that ends in .json, .jsonl"),
        ("a.json", "{", "a.json"),
        ("a.json", "{}", "a.json: data: expected a list, as in SQuAD's files, found 'null'"),
        ("a.json", '{"data": [1]}', "a.json: data: expected an object, found '1'"),
        ("a.json", '{"data": [{"title": "T"}]}', "a.json: T: paragraphs: expected a list"),
        ("a.json", squad(asked(id=None)), "question None: expected a text under 'id', found 'null'"),
        ("a.json", squad(asked(question=" ")), "question 'q1': expected a text under 'question', found '\" \"'"),
        ("a.json", squad(asked(), context=""), "question 'q1': expected a text under 'context', found '\"\"'"),
        ("a.json", squad(asked(), asked()), "question 'q1': expected another id for every question, found 'q1' twice"),
        ("a.json", squad(asked(answers=None)), "expected answers, each with its text and answer_start, found 'null'"),
        ("a.json", squad(asked(answers=[{"text": "Maria"}])), "expected answers, each with its text and answer_start"),
        (
            "a.json",
            squad(asked(answers=[{"text": "Maria", "answer_start": 1}])),
            "question 'q1': expected the answer 'Maria' at character 1 of the context, found 'aria '",
        ),
        (
            "a.json",
            squad(asked(answers=[{"text": "s.", "answer_start": -2}])),
            "expected the answer 's.' at character -2 of the context, found 'Ma'",
        ),
        (
            "a.json",
            squad(asked(answers=[{"text": "", "answer_start": 3}])),
            "expected the answer '' at character 3 of the context",
        ),
        ("a.jsonl", lines(FLAT) + "{\n", "a.jsonl:2: expected a JSON object, found: Expecting property name"),
        ("a.jsonl", "[]\n", "a.jsonl:1: expected a JSON object, found '[]'"),
        ("a.jsonl", "[" * 10**5 + "\n", "a.jsonl:1: expected a JSON object, found: "),
        ("a.jsonl", '{"id": ' + "9" * 5000 + "}\n", "a.jsonl:1: expected a JSON object, found: Exceeds the limit"),
        ("a.jsonl", lines({**FLAT, "id": True}), "a.jsonl:1: expected a text under 'id', found 'true'"),
        ("a.jsonl", lines({**FLAT, "question": "a\ud800"}), "a.jsonl:1: expected a text under 'question', found"),
        ("a.json", squad(asked(), context=CONTEXT + "\ud800"), "'q1': expected a text under 'context', found"),
        ("a.json", squad(asked(id=1), asked(id="1")), "expected another id for every question, found '1' twice"),
        (
            "a.jsonl",
            lines({**FLAT, "answers": {"text": ["Maria"], "answer_start": []}}),
            "a.jsonl:1: expected answers",
        ),
        ("a.jsonl", lines(FLAT) * 2, "a.jsonl:2: expected another id for every question, found 'q1' twice"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_questions(tmp_path / name)
    assert message in str(error.value) and "\n" not in str(error.value)
