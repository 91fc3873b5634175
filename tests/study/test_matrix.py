"""The matrix of intermediate and target tasks."""

import csv
import math
from dataclasses import replace

import pytest

from modeling_dlfa.files import csv_text
from modeling_dlfa.study.intermediate import conditions
from modeling_dlfa.study.matrix import by_model, matrix_rows, matrix_tables
from modeling_dlfa.study.report import write_report
from modeling_dlfa.study.sections import sections


CONDITIONS = {name: {"intermediate_tasks": task} for name, task in {"a": "mnli", "b": "siqa", "same": "xnli"}.items()}
GAINS = {("xnli", "a"): 3, ("xnli", "b"): 1, ("xnli", "same"): 5, ("pawsx", "a"): -2, ("pawsx", "b"): 2}


@pytest.fixture(scope="module")
def study(make_spec, make_record):
    """Every pair but PAWS-X after XNLI is there."""
    spec = make_spec(tasks={"xnli": {}, "pawsx": {}}, models={}, conditions=CONDITIONS, seeds=[1, 2])
    records = []
    for cell in spec.cells:
        condition = cell.model.condition
        if (cell.task, condition) != ("pawsx", "same"):
            score = 50 + cell.seed + GAINS.get((cell.task, condition), 0)
            task = CONDITIONS[condition]["intermediate_tasks"] if condition else ""
            summary = {"metric": "accuracy", "development_score": 80, "development_majority": 30, "steps": 10}
            stages = [{"task": task, **summary}] if condition else []
            records.append(make_record(cell, {"en": 80, "de": score, "fr": score}, intermediate=stages))
    return spec, records


@pytest.fixture(scope="module")
def pairs(study):
    made = [section for section in sections(*study) if section.of_conditions]
    return by_model(made, {section.name: conditions(section, {}) for section in made})


def test_gains_and_their_mean(pairs):
    rows = {row["condition"]: row for row in matrix_rows(pairs)}
    assert list(rows) == ["a", "b", "same"]
    for name, row in rows.items():
        for task in ("xnli", "pawsx"):
            expected = GAINS.get((task, name), math.nan)
            assert row[task] == pytest.approx(expected, nan_ok=True)
    assert [(row["average"], row["tasks"]) for row in rows.values()] == [
        pytest.approx((0.5, 2)), pytest.approx((1.5, 2)), pytest.approx((math.nan, 0), nan_ok=True),
    ]  # fmt: skip


def test_the_best_of_each_target_leaves_controls_out(pairs):
    (table,) = matrix_tables(pairs)
    assert table.header == ["intermediate", "xnli", "pawsx", "average"]
    assert table.rows[-1] == ["best", "a", "b", "b"]
    assert table.rows[2] == ["same", "(+5.0)", "–", "–"]


def test_a_task_is_a_control_before_itself_alone(pairs):
    """It is an intermediate task like others before another target."""
    ((key, ((section, _), (other, found))),) = pairs.items()
    same = replace(
        found[0],
        name="same",
        model="baseline+a",
        runs=[replace(run, intermediate=[{"task": "xnli"}]) for run in found[0].runs],
    )
    own = [(section, [one for one in pairs[key][0][1] if one.name == "same"]), (other, [same])]
    (row,) = matrix_rows({key: own})
    assert (row["control"], row["average"], row["tasks"]) == (False, pytest.approx(-2), 1)
    assert matrix_tables({key: own})[0].rows == [["same", "(+5.0)", "-2.0", "-2.0"], ["best", "", "same", ""]]


def test_labels_without_meaning_are_a_control_before_every_task(pairs):
    """Their mean is what the others are compared with."""
    ((key, own),) = pairs.items()
    shuffled = [
        (
            section,
            [
                replace(
                    one,
                    runs=[replace(run, intermediate=[{"task": "mnli", "shuffle_labels": True}]) for run in one.runs],
                )
            ],
        )
        for section, (one, *_) in own
    ]
    (row,) = matrix_rows({key: shuffled})
    assert (row["control"], row["average"], row["tasks"]) == (True, pytest.approx(0.5), 2)
    assert matrix_tables({key: shuffled})[0].rows == [
        ["a (control)", "(+3.0)", "(-2.0)", "(+0.5)"],
        ["best", "", "", ""],
    ]


def test_in_an_unfinished_study_rows_have_the_same_columns(pairs):
    """And what has not all targets yet is not the best on average."""
    ((_, own),) = pairs.items()
    first, (section, conditions_of_it) = own
    less = [one for one in conditions_of_it if one.name != "a"]
    unfinished = {("x", "one"): [first], ("x", "other"): [(replace(section, task="b"), less), first]}
    rows = matrix_rows(unfinished)
    assert len({tuple(row) for row in rows}) == 1 and math.isnan(rows[0]["b"])
    assert csv_text(rows).startswith("encoder,model,condition,control,xnli,b,tasks,average\n")
    assert matrix_tables(unfinished)[1].rows[-1][-1] == "b"


def test_of_one_target_task_there_is_none(pairs, study):
    ((key, own),) = pairs.items()
    one = own[0][0]
    assert by_model([one], {one.name: own[0][1]}) == {} and key[1] == "baseline"


def test_the_report_has_it(study, tmp_path):
    spec, records = study
    write_report(spec, records, tmp_path)
    with open(tmp_path / "matrix.csv", encoding="utf-8", newline="") as file:
        assert [row["condition"] for row in csv.DictReader(file)] == ["a", "b", "same"]
    for page in ("report.md", "index.html"):
        assert "Intermediate and target tasks" in (tmp_path / page).read_text(encoding="utf-8")
