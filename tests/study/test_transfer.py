"""Several languages of training: the grid, and which of them serves whom."""

import csv
import math
from dataclasses import replace

import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.study.report import settings, write_report
from modeling_dlfa.study.scouting import scouted_cells
from modeling_dlfa.study.sections import sections
from modeling_dlfa.study.spec import load_spec
from modeling_dlfa.study.transfer import transfer_columns, transfer_rows, transfer_tables, transfers
from modeling_dlfa.study.tuning import points


LANGUAGES = ("en", "de", "fr", "ru", "zh")
SCORES = {  # trained in -> scored in
    "en": (80, 60, 60, 50, 40),
    "de": (70, 75, 65, 56, 38),
    "zh": (50, 50, 45, 40, 70),
}


@pytest.fixture(scope="module")
def study(make_spec, make_record):
    spec = make_spec(models={"dlfa": {"fusion": "aif", "fusion_layer": 8}}, train_languages=list(SCORES))
    records = []
    for cell in spec.cells:
        gain = (cell.model.name == "dlfa") + cell.seed
        scores = {code: score + gain for code, score in zip(LANGUAGES, SCORES[cell.source])}
        records.append(make_record(cell, scores, train_language=cell.source))
    return spec, records


@pytest.fixture(scope="module")
def transfer(study):
    return next(one for one in transfers(sections(*study)) if one.model == "dlfa")


def test_the_grid(study):
    spec, _ = study
    assert len(spec.cells) == len({cell.name for cell in spec.cells}) == 3 * 2 * 2
    assert [cell.name for cell in spec.cells[:3]] == [
        "xnli/embedded/en/baseline-seed1", "xnli/embedded/en/dlfa-seed1", "xnli/embedded/de/baseline-seed1",
    ]  # fmt: skip
    assert all(cell.run_arguments("out")[0].train_language == cell.source for cell in spec.cells)
    assert len(scouted_cells(spec)) == 3 * 2  # languages and seeds


def test_tuning_is_in_the_first_language(study):
    spec, _ = study
    tried = points(replace(spec, tune={"learning_rate": [1e-3, 5e-3]}))
    assert [(one.group, one.cell.source) for one in tried] == [
        (f"xnli/embedded/{model}", "en") for model in ("baseline", "dlfa") for _ in range(2)
    ]


def test_models_are_compared_within_a_language_of_training(study):
    made = sections(*study)
    assert [section.name for section in made] == ["xnli_en", "xnli_de", "xnli_zh"]
    assert made[1].title == "xnli, embedded, trained in German"
    for section in made:
        assert section.train_language in ("English", "German", "Chinese")
        assert section.source not in section.languages and len(section.languages) == 4
        assert section.comparisons["dlfa"].difference == pytest.approx(1)


def test_averages_are_over_languages_that_none_is_trained_in(transfer):
    assert transfer.targets == ["fr", "ru"] and transfer.first == "en"
    assert transfer.average("de") == pytest.approx([62.5, 63.5])
    assert {source: one.difference for source, one in transfer.comparisons.items()} == {
        "de": pytest.approx(5.5), "zh": pytest.approx(-12.5),
    }  # fmt: skip
    assert {target: transfer.best(target) for target in transfer.languages} == {
        "en": "en", "de": "de", "fr": "de", "ru": "de", "zh": "zh",
    }  # fmt: skip


def test_rows(transfer):
    rows = {(row["source"], row["target"]): row for row in transfer_rows(transfer)}
    assert len(rows) == 3 * 5
    own, far = rows["de", "de"], rows["en", "de"]
    assert (own["gap"], own["difference"], own["seeds"]) == (pytest.approx(0), pytest.approx(15), 2)
    assert (far["gap"], far["difference"], far["score"]) == (pytest.approx(15), pytest.approx(0), pytest.approx(62.5))
    assert math.isnan(rows["en", "fr"]["gap"])  # none is trained in French


def test_tables_and_columns(transfer):
    sources, square, best = transfer_tables(transfer)
    assert [(row[0], row[2], row[-1]) for row in sources.rows] == [
        ("English", "82.5", "0"), ("German", "77.5", "2"), ("Chinese", "72.5", "0"),
    ]  # fmt: skip
    assert square.header == ["trained in", "en", "de", "zh"] and square.rows[1][1:] == ["72.5", "77.5", "40.5"]
    assert [(row[0], row[2], row[-1]) for row in best.rows] == [
        ("French", "German", "+5.0"),
        ("Russian", "German", "+6.0"),
    ]
    assert [(column.name, round(column.average, 1)) for column in transfer_columns(transfer)] == [
        ("German", 5.5), ("Chinese", -12.5),
    ]  # fmt: skip


def test_an_unfinished_study(study, tmp_path):
    """One language alone is no matrix, and one that lacks a seed is compared over those that are there."""
    spec, records = study
    assert transfers(sections(spec, [one for one in records if one.cell.source == "en"])) == []
    less = [one for one in records if (one.cell.source, one.cell.seed) != ("de", 2)]
    assert transfers(sections(spec, less))[0].comparisons["de"].seeds == (1,)
    elsewhere = [one for one in records if (one.cell.source, one.cell.seed) in (("en", 1), ("de", 2))]
    assert transfers(sections(spec, elsewhere))[0].comparisons == {}
    assert write_report(spec, elsewhere, tmp_path).is_file()


def test_the_report_has_it(study, tmp_path):
    spec, records = study
    page = write_report(spec, records, tmp_path).read_text(encoding="utf-8")
    assert "by language of training" in page and "transfer_xnli_dlfa.png" in "".join(
        path.name for path in tmp_path.iterdir()
    )
    with open(tmp_path / "transfer.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 15 and rows[0]["difference"] == "0"
    assert "train_languages:\n- en\n- de\n- zh\n" in settings(spec)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("train_languages: en", "train_languages: expected a list, found 'en'"),
        ("train_languages: [en, en]", "train_languages: ['en', 'en'] names one twice"),
        ("train_languages: [en, EN]", "train_languages: two are called alike: en, EN"),
        ("train_languages: [en, ../de]", "train_languages: '../de' cannot be the name of a folder"),
        (
            "train_languages: [en, de]\nconditions: {a: {intermediate_tasks: mnli}}",
            "train_languages: a study of conditions has one language of training",
        ),
        (
            "train_languages: [en, de]\narguments: {train_language: de}",
            "arguments: train_language is given by train_languages",
        ),
    ],
)
def test_what_cannot_be(tmp_path, entries, message):
    (tmp_path / "s.yaml").write_text(f"tasks: [xnli]\n{entries}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path / "s.yaml")
    assert message in str(caught.value) and "\n" not in str(caught.value)
