"""What is said of intermediate tasks: gains against the same model without, difficulty, controls, correlation."""

import json
import math
from dataclasses import replace

import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.study import intermediate
from modeling_dlfa.study.figures import Point
from modeling_dlfa.study.intermediate import (
    condition_rows,
    conditions,
    conditions_table,
    families_table,
    load_code_lengths,
    measure_code_lengths,
    panels,
    rank_correlation,
)
from modeling_dlfa.study.report import write_report
from modeling_dlfa.study.sections import sections
from modeling_dlfa.study.tables import models_table


CONDITIONS = {
    "upos": {"intermediate_tasks": "uddep-upos"},
    "tree": {"intermediate_tasks": "udpos,uddep"},
    "more": {"intermediate_tasks": "xnli"},
    "noise": {"intermediate_tasks": "uddep-upos", "intermediate_arguments": {"shuffle_labels": True}},
    "words": {"intermediate_tasks": "uddep-masked"},
}
BITS = {"upos": 1.5, "tree": 4.0, "more": 1.0}
GAINS = {None: 0, "upos": 4, "tree": 1, "more": 6, "noise": -2, "words": 3}  # of the baseline; twice as much of DLFA
STAGES = {
    "upos": (95.0, 20.0),
    "tree": (60.0, 20.0),
    "more": (50.0, 30.0),
    "noise": (15.0, 20.0),
    "words": (40.0, 10.0),
}


def stages(cell):
    """What the results of a run under the cell's condition say of its stages."""
    condition = cell.model.condition
    if condition is None:
        return []
    score, majority = STAGES[condition]
    tasks = CONDITIONS[condition]["intermediate_tasks"].split(",")
    summary = {"metric": "las", "development_score": score, "development_majority": majority, "steps": 100}
    said: dict = {"noise": {"shuffle_labels": True}, "words": {"control": True}}.get(condition, {})
    return [{"task": task, **summary, **said} for task in tasks]


@pytest.fixture(scope="module")
def study(make_spec, make_record):
    spec = make_spec(models={"dlfa": {"fusion_layer": 8}}, conditions=CONDITIONS, seeds=[1, 2])
    records = []
    for cell in spec.cells:
        gain = GAINS[cell.model.condition] * (2 if cell.model.base == "dlfa" else 1)
        start = 50 + cell.seed + (3 if cell.model.base == "dlfa" else 0)
        scores = {"en": 80, "de": start + gain, "es": start - gain / 2, "ru": start}
        records.append(make_record(cell, scores, intermediate=stages(cell)))
    return spec, records


@pytest.fixture(scope="module")
def made(study):
    return {section.name: section for section in sections(*study)}


def test_every_model_is_run_under_every_condition_and_compared_with_itself_without(study, made):
    spec, _ = study
    assert [cell.model.name for cell in spec.cells if cell.seed == 1] == [
        *("baseline", "dlfa", "baseline+upos", "baseline+tree", "baseline+more", "baseline+noise", "baseline+words"),
        *("dlfa+upos", "dlfa+tree", "dlfa+more", "dlfa+noise", "dlfa+words"),
    ]
    assert list(made) == ["xnli", "xnli_baseline", "xnli_dlfa"]
    assert list(made["xnli"].comparisons) == ["dlfa"]
    assert made["xnli"].comparisons["dlfa"].difference == pytest.approx(3)
    for name, factor in (("baseline", 1), ("dlfa", 2)):
        section = made[f"xnli_{name}"]
        differences = {model: one.difference for model, one in section.comparisons.items()}
        # Mean over de, es and ru of the gain, minus half of it, and nothing.
        expected = {f"{name}+{key}": factor * gain / 6 for key, gain in GAINS.items() if key}
        assert differences == pytest.approx(expected)
        assert f"differences to the {name} alone" in models_table(section).notes[0]


def test_conditions_merge_their_arguments_of_stages_with_those_of_the_study(make_spec):
    spec = make_spec(conditions=CONDITIONS, arguments={"intermediate_arguments": {"max_steps": 7}}, seeds=[1])
    by_name = {cell.model.name: cell for cell in spec.cells}
    (stage,) = by_name["baseline+noise"].stages()
    arguments, training = stage.arguments(None, "unused")
    assert arguments.shuffle_labels and training.max_steps == 7
    assert [stage.task for stage in by_name["dlfa-k4+tree"].stages()] == ["udpos", "uddep"]
    assert by_name["baseline"].stages() == []
    names = {stage.name for cell in spec.cells for stage in cell.stages()[:1]}
    assert len(names) == 5 * 4  # conditions times models


def test_difficulty_is_that_of_the_last_stage(made):
    found = conditions(made["xnli_dlfa"], BITS)
    assert [(one.name, one.model, one.control) for one in found] == [
        ("upos", "dlfa+upos", False),
        ("tree", "dlfa+tree", False),
        ("more", "dlfa+more", True),
        ("noise", "dlfa+noise", True),
        ("words", "dlfa+words", True),
    ]
    assert [one.errors for one in found] == [[5 / 80] * 2, [0.5] * 2, [50 / 70] * 2, [85 / 80] * 2, [60 / 90] * 2]
    assert [one.bits for one in found][:3] == [1.5, 4.0, 1.0] and math.isnan(found[3].bits)
    rows = {row["condition"]: row for row in condition_rows(made["xnli_dlfa"], found)}
    assert rows["tree"]["stages"] == "udpos, uddep" and rows["tree"]["steps"] == 100
    assert rows["tree"]["relative_error"] == 0.5 and rows["tree"]["bits_per_label"] == 4.0
    assert rows["tree"]["difference"] == pytest.approx(1 / 3)
    assert rows["tree"]["zero_shot"] == pytest.approx(54.5 + 1 / 3)
    table = conditions_table(made["xnli_dlfa"], found)
    assert [row[0] for row in table.rows] == ["upos", "tree", "more (control)", "noise (control)", "words (control)"]
    assert table.rows[1][:6] == ["tree", "udpos, uddep", "100", "las 60.0 ± 0.0", "0.50", "4.00"]
    assert table.rows[3][5] == "–"


def test_a_condition_that_differs_in_training_alone_repeats_another(make_spec, make_record):
    stages = {
        "upos": {"task": "uddep-upos"},
        "fast": {"task": "uddep-upos", "learning_rate": 1e-3},
        "half": {"task": "uddep-upos", "train_half": "easy by dependency_length"},
        "noise": {"task": "uddep-upos", "shuffle_labels": True},
    }
    spec = make_spec(models={}, conditions=dict.fromkeys(stages, CONDITIONS["upos"]), seeds=[1])
    summary = {"metric": "accuracy", "development_score": 90.0, "development_majority": 20.0}
    records = [
        make_record(cell, {"en": 80, "de": 50}, intermediate=[stages[cell.model.condition] | summary])
        for cell in spec.cells
        if cell.model.condition
    ]
    records += [make_record(cell, {"en": 80, "de": 50}) for cell in spec.cells if not cell.model.condition]
    (section,) = (one for one in sections(spec, records) if one.name == "xnli_baseline")
    found = conditions(section, {})
    assert [point.repeats for point in panels(section, found)[0].points] == [False, True, False, False]
    assert [point.repeats for point in panels(section, found[1:])[0].points] == [False, False, False]


def test_families_average_their_languages(made):
    table = families_table(made["xnli_baseline"], conditions(made["xnli_baseline"], BITS))
    assert table.header == ["family", "languages", "upos", "tree", "more", "noise", "words"]
    assert table.rows == [
        ["IE: Germanic", "de", "+4.0", "+1.0", "+6.0", "-2.0", "+3.0"],
        ["IE: Romance", "es", "-2.0", "-0.5", "-3.0", "+1.0", "-1.5"],
        ["IE: Slavic", "ru", "0.0", "0.0", "0.0", "0.0", "0.0"],
    ]


def test_gains_stand_over_both_measures(made):
    error, bits = panels(made["xnli_baseline"], conditions(made["xnli_baseline"], BITS))
    assert [(point.label, point.x, point.control) for point in error.points] == [
        ("upos", 5 / 80, False),
        ("tree", 0.5, False),
        ("more", 50 / 70, True),
        ("noise", 85 / 80, True),
        ("words", 60 / 90, True),
    ]
    assert [point.label for point in bits.points] == ["upos", "tree", "more"]
    assert [point.y for point in bits.points] == pytest.approx([4 / 6, 1 / 6, 1])


def points(x, y, controls=()):
    return [Point(str(i), a, b, b - 1, b + 1, i in controls) for i, (a, b) in enumerate(zip(x, y))]


@pytest.mark.parametrize(
    ("x", "y", "controls", "rho", "p"),
    [
        ([1, 2, 3, 4], [5, 6, 9, 20], (), 1, 2 / 24),
        ([1, 2, 3, 4, 5], [9, 8, 7, 6, 1], (), -1, 2 / 120),
        ([1, 2, 3, 4, 0], [5, 6, 9, 20, 99], (4,), 1, 2 / 24),
        ([1, 2, 3, 4], [1, 3, 2, 4], (), 0.8, 8 / 24),
    ],
)
def test_rank_correlation_is_exact_and_leaves_controls_out(x, y, controls, rho, p):
    found = rank_correlation(points(x, y, controls))
    assert (found.rho, found.p, found.conditions) == pytest.approx((rho, p, len(x) - len(controls)))
    assert math.isnan(found.low) == math.isnan(found.high) == (abs(rho) == 1)


def test_the_interval_of_a_rank_correlation():
    """By hand: z = atanh(0.8), its standard error sqrt((1 + 0.32) / 1)."""
    found = rank_correlation(points([1, 2, 3, 4], [1, 3, 2, 4]))
    width = 1.959964 * 1.32**0.5
    expected = [math.tanh(1.098612 + side * width) for side in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(expected, abs=1e-5)


def test_what_repeats_a_condition_is_no_point_of_its_own():
    repeated = points([1, 2, 3, 4], [5, 6, 9, 20]) + [Point("fast", 1, 99, 98, 100, repeats=True)]
    assert rank_correlation(repeated) == rank_correlation(repeated[:4])


@pytest.mark.parametrize("x", [[1, 2, 3], [1, 1, 1, 1], []])
def test_no_correlation_of_too_little(x):
    found = rank_correlation(points(x, range(len(x))))
    assert all(map(math.isnan, (found.rho, found.low, found.high, found.p))) and found.conditions == len(x)


def test_code_lengths_are_measured_once_and_with_the_settings_of_the_study(make_spec, tmp_path, monkeypatch):
    asked = []

    class Measured:
        bits_per_label = 2.5

        def as_dict(self):
            return {"bits_per_label": self.bits_per_label}

    def code_length(arguments):
        asked.append((arguments.task, arguments.fusion, arguments.shuffle_labels, arguments.languages))
        return Measured()

    monkeypatch.setattr(intermediate, "code_length", code_length)
    asked_for = {**CONDITIONS, "fast": {**CONDITIONS["upos"], "learning_rate": 1e-3}, "none": {"weight_decay": 0.1}}
    spec = make_spec(conditions=asked_for, output_dir=tmp_path)
    said = []
    measure_code_lengths(spec, said.append)
    assert asked == [
        ("uddep-upos", "none", False, "en"),
        ("uddep", "none", False, "en"),
        ("xnli", "none", False, "en"),
        ("uddep-upos", "none", True, "en"),
    ]
    assert said[0] == "embedded, upos: 2.50 bits a label of uddep-upos"
    assert said[4] == "embedded, words: uddep-masked has no code length"
    assert said[5] == "embedded, fast: 2.50 bits a label of uddep-upos"  # the same labels, not measured again
    measure_code_lengths(spec, said.append)
    assert (len(asked), len(said)) == (4, 7)
    assert load_code_lengths(spec, "embedded") == dict.fromkeys({*CONDITIONS, "fast"} - {"words"}, 2.5)

    other = make_spec(conditions=CONDITIONS, output_dir=tmp_path, arguments={"max_train_samples": 9})
    assert load_code_lengths(other, "embedded") == {}
    path = tmp_path / "difficulty" / "embedded" / "upos.json"
    path.write_text(json.dumps([1]))
    with pytest.raises(InputError, match=r"upos\.json does not hold a code length"):
        load_code_lengths(spec, "embedded")


def test_the_report_has_a_chapter_for_every_model(study, tmp_path):
    spec, records = study
    write_report(replace(spec, output_dir=tmp_path), records, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "24 of 24 runs are done." in text
    for name in ("baseline", "dlfa"):
        assert f"## xnli, embedded: {name} under conditions" in text
        assert (tmp_path / "report" / f"difficulty_xnli_{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "| noise (control) | uddep-upos | 100 |" in text
    rows = (tmp_path / "report" / "conditions.csv").read_text("utf-8").splitlines()
    assert len(rows) == 1 + 2 * len(CONDITIONS)
    assert "conditions.csv" in (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "conditions:" in text  # the study's file, to make it again
