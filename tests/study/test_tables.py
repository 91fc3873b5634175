"""The tables of a study, against numbers computed by hand."""

import csv
import io
import math

import pytest

from modeling_dlfa.files import csv_text
from modeling_dlfa.study.sections import sections
from modeling_dlfa.study.statistics import compare
from modeling_dlfa.study.tables import (
    language_rows,
    languages_table,
    model_rows,
    models_table,
    rival_rows,
    score_rows,
    summary_rows,
    summary_table,
    tables,
)
from modeling_dlfa.tasks.languages import language_label
from modeling_dlfa.wording import interval, mean_std, plus_minus, rounded, signed


# Zero-shot averages 55 and 58; with k=0 56 and 60, with k=4 54 and 57, with k=8 58 and 59.
SCORES = {
    ("baseline", 1): {"en": 80, "de": 60, "ru": 50},
    ("baseline", 2): {"en": 80, "de": 62, "ru": 54},
    ("dlfa-k0", 1): {"en": 81, "de": 61, "ru": 51},
    ("dlfa-k0", 2): {"en": 82, "de": 64, "ru": 56},
    ("dlfa-k4", 1): {"en": 80, "de": 59, "ru": 49},
    ("dlfa-k4", 2): {"en": 80, "de": 61, "ru": 53},
    ("dlfa-k8", 1): {"en": 79, "de": 64, "ru": 52},
    ("dlfa-k8", 2): {"en": 80, "de": 64, "ru": 54},
}
DEVELOPMENT = {"baseline": 90.0, "dlfa-k0": 91.0, "dlfa-k4": 90.5, "dlfa-k8": 89.0}


@pytest.fixture(scope="module")
def study(make_spec, make_records):
    spec = make_spec()
    records = make_records(
        spec,
        lambda cell: SCORES[cell.model.name, cell.seed],
        lambda cell: DEVELOPMENT[cell.model.name] + cell.seed / 2,
    )
    return spec, records


@pytest.fixture(scope="module")
def section(study):
    (section,) = sections(*study)
    return section


@pytest.fixture(scope="module")
def comparisons(study):
    runs = {name: [record for record in study[1] if record.cell.model.name == name] for name in DEVELOPMENT}
    baseline = runs.pop("baseline")
    return compare(runs, baseline)


def by(rows, key):
    return {row[key]: row for row in rows}


def test_a_summary_has_the_layer_chosen_on_development_data_and_the_oracle(section, comparisons):
    (row,) = summary_rows(section)
    chosen, oracle = comparisons["dlfa-k0"], comparisons["dlfa-k8"]
    assert row == {
        "task": "xnli",
        "encoder": "embedded",
        "metric": "accuracy",
        "model": "dlfa",
        "languages": 2,
        "runs": 6,
        "runs_asked": 6,
        "seeds": 2,
        "baseline": 56.5,
        "chosen_layer": 0,
        "chosen": 58.0,
        "difference": 1.5,
        "low": chosen.low,
        "high": chosen.high,
        "p_value": chosen.p_value,
        "p_adjusted": chosen.p_adjusted,
        "baseline_preferred": False,
        "oracle_layer": 8,
        "oracle": 58.5,
        "oracle_difference": 2.0,
        "oracle_p_adjusted": oracle.p_adjusted,
        "regret": 0.5,
    }
    table = summary_table([section])
    cells = dict(zip(table.header, table.rows[0], strict=True))
    assert "encoder" not in cells
    assert cells["task"] == "xnli (accuracy)"
    assert cells["layer chosen on dev"] == "58.0 (k=0)"
    assert cells["95 % CI"] == f"{chosen.low:+.1f} to {chosen.high:+.1f}"
    assert cells["p"] == f"{chosen.p_value:.3f}"
    assert (cells["oracle layer"], cells["regret"]) == ("58.5 (k=8)", "0.5")
    assert len(table.notes) == 1


def test_a_summary_says_where_development_data_prefer_the_baseline(make_spec, make_records):
    spec = make_spec()
    records = make_records(
        spec, lambda cell: SCORES[cell.model.name, cell.seed], lambda cell: 90.0 + (cell.model.fusion == "none")
    )
    table = summary_table(sections(spec, records))
    assert table.rows[0][table.header.index("layer chosen on dev")].endswith(" †")
    assert table.notes[1].startswith("† ")


def test_all_models_have_a_row(section, comparisons):
    rows = by(model_rows(section), "model")
    assert list(rows) == ["baseline", "dlfa-k0", "dlfa-k4", "dlfa-k8"]
    assert [row["zero_shot"] for row in rows.values()] == [56.5, 58.0, 55.5, 58.5]
    assert [row["difference"] for row in rows.values()][1:] == [1.5, -1.0, 2.0]
    assert math.isnan(rows["baseline"]["difference"])
    assert rows["dlfa-k0"]["zero_shot_std"] == pytest.approx(8**0.5)  # of 56 and 60
    assert rows["dlfa-k0"]["development"] == 91.75
    assert rows["dlfa-k8"]["p_adjusted"] == comparisons["dlfa-k8"].p_adjusted
    assert [row["chosen"] for row in rows.values()] == [False, True, False, False]
    assert [row["oracle"] for row in rows.values()] == [False, False, False, True]

    table = models_table(section)
    assert [row[0] for row in table.rows] == ["baseline", "dlfa-k0 (chosen on dev)", "dlfa-k4", "dlfa-k8 (oracle)"]
    assert table.rows[0] == ["baseline", "2", "56.5 ± 2.1", "–", "–", "–", "–", "90.8 ± 0.4"]
    assert table.rows[1][1:4] == ["2", "58.0 ± 2.8", "+1.5"]
    assert table.header[-1] == "English dev"


RIVALS = {
    "models": {
        "dlfa": {"fusion_layer": [0, 4, 8]},
        "sum": {"fusion": "sum", "fusion_layer": [0, 4]},
        "last": {"fusion_layer": [2]},
    },
    "rivals": {"dlfa": ["sum", "last"]},
}
# "last" is a list of one layer, and was run with one seed. Of "sum" the layer chosen in English is the worse one.
OF_RIVALS = {
    **SCORES,
    ("sum-k0", 1): {"en": 80, "de": 70, "ru": 60},
    ("sum-k0", 2): {"en": 80, "de": 70, "ru": 60},
    ("sum-k4", 1): {"en": 80, "de": 60, "ru": 50},
    ("sum-k4", 2): {"en": 80, "de": 60, "ru": 56},
    ("last-k2", 2): {"en": 80, "de": 61, "ru": 53},
}


def test_rivals_are_compared_at_the_layers_chosen(make_spec, make_records):
    spec = make_spec(**RIVALS)
    development = {**DEVELOPMENT, "sum-k0": 90.0, "sum-k4": 91.0, "last-k2": 90.0}
    records = make_records(
        spec, lambda cell: OF_RIVALS.get((cell.model.name, cell.seed)), lambda cell: development[cell.model.name]
    )
    (section,) = sections(spec, records)
    rows = rival_rows(section)
    assert [(row["model"], row["rival"], row["seeds"], row["score"], row["rival_score"]) for row in rows] == [
        ("dlfa-k0", "sum-k4", 2, 58.0, 56.5),
        ("dlfa-k0", "last-k2", 1, 60.0, 57.0),
    ]
    assert [row["difference"] for row in rows] == [1.5, 3.0]
    by_hand = compare(
        {"dlfa-k0": [record for record in records if record.cell.model.name == "dlfa-k0"]},
        [record for record in records if record.cell.model.name == "sum-k4"],
    )["dlfa-k0"]
    assert (rows[0]["low"], rows[0]["high"], rows[0]["p_value"]) == (by_hand.low, by_hand.high, by_hand.p_value)
    assert rows[0]["p_adjusted"] == by_hand.p_value and math.isnan(rows[1]["p_value"])
    assert list(tables(spec, records)) == ["summary", "models_xnli", "rivals_xnli", "languages_xnli"]


@pytest.mark.parametrize("missing", ["dlfa", "sum"])
def test_rivals_without_runs_are_left_out(make_spec, make_records, missing):
    spec = make_spec(**RIVALS)
    there = {key: scores for key, scores in OF_RIVALS.items() if not key[0].startswith(missing)}
    (section,) = sections(spec, make_records(spec, lambda cell: there.get((cell.model.name, cell.seed))))
    assert [row["rival"] for row in rival_rows(section)] == ([] if missing == "dlfa" else ["last-k2"])


def test_holm_is_over_all_rivals(make_spec, make_records):
    spec = make_spec(models={**RIVALS["models"]}, rivals={"dlfa": ["sum"], "sum": ["dlfa"]})
    records = make_records(spec, lambda cell: OF_RIVALS.get((cell.model.name, cell.seed)))
    (section,) = sections(spec, records)
    one, other = rival_rows(section)
    assert one["difference"] == -other["difference"] != 0
    assert one["p_adjusted"] == pytest.approx(min(1, 2 * one["p_value"]))


def test_languages_are_ordered_by_family_and_end_with_the_average(section):
    table = languages_table(section)
    assert table.name == "languages_xnli"
    assert table.header == ["language", "family", "examples", "baseline", "dlfa-k0", "difference"]
    assert table.rows == [
        ["en English *", "IE: Germanic", "200", "80.0", "81.5", "+1.5"],
        ["de German", "IE: Germanic", "200", "61.0", "62.5", "+1.5"],
        ["ru Russian", "IE: Slavic", "200", "52.0", "53.5", "+1.5"],
        ["zero-shot average", "", "", "56.5", "58.0", "+1.5"],
    ]


def test_rows_of_languages_are_comparisons_in_one_language(section, study):
    rows = [row for row in language_rows(section) if row["model"] == "dlfa-k8"]
    assert [(row["language"], row["baseline"], row["score"], row["difference"]) for row in rows] == [
        ("en", 80.0, 79.5, -0.5),
        ("de", 61.0, 64.0, 3.0),
        ("ru", 52.0, 53.0, 1.0),
    ]


def test_csv_reads_back(section):
    rows = list(csv.DictReader(io.StringIO(csv_text(score_rows(section)))))
    assert list(rows[0]) == ["task", "encoder", "model", "fusion", "layer", "seed", "language", "score", "n"]
    found = {(row["model"], int(row["seed"]), row["language"]): float(row["score"]) for row in rows}
    assert found == {(*key, code): score for key, scores in SCORES.items() for code, score in scores.items()}
    assert {(row["model"], row["fusion"], row["layer"]) for row in rows} == {
        ("baseline", "none", ""),
        *((f"dlfa-k{k}", "aif", str(k)) for k in (0, 4, 8)),
    }
    assert {row["n"] for row in rows} == {"200"}

    first = next(csv.DictReader(io.StringIO(csv_text(model_rows(section)))))
    assert (first["model"], first["difference"], first["chosen"]) == ("baseline", "", "0")
    assert csv_text([]) == "\n"


def test_tables_by_name(study):
    named = tables(*study)
    assert list(named) == ["summary", "models_xnli", "languages_xnli"]
    assert named["languages_xnli"].splitlines()[:3] == [
        "| language | family | examples | baseline | dlfa-k0 | difference |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| en English * | IE: Germanic | 200 | 80.0 | 81.5 | +1.5 |",
    ]


def test_several_encoders_have_tables_of_their_own(make_spec, make_records):
    spec = make_spec(encoders=["embedded", "owner/small"])
    named = tables(spec, make_records(spec, lambda cell: SCORES[cell.model.name, cell.seed]))
    assert list(named)[1:] == [
        "models_xnli_embedded",
        "models_xnli_small",
        "languages_xnli_embedded",
        "languages_xnli_small",
    ]
    assert [line.split(" | ")[1] for line in named["summary"].splitlines()] == ["encoder", "---", "embedded", "small"]


def test_an_incomplete_study_counts_what_is_missing(make_spec, make_records):
    spec = make_spec(tasks={"xnli": {}, "pawsx": {}})
    missing = {("dlfa-k4", 1), ("dlfa-k8", 1), ("dlfa-k8", 2), ("baseline", 2)}

    def scores(cell):
        key = (cell.model.name, cell.seed)
        return None if cell.task == "pawsx" or key in missing else SCORES[key]

    xnli, pawsx = sections(spec, make_records(spec, scores))
    assert not pawsx.runs
    assert pawsx.progress == "0 of 8 runs"
    assert xnli.progress == "4 of 8 runs"
    assert xnli.missing == {"baseline": [2], "dlfa-k4": [1], "dlfa-k8": [1, 2]}
    assert list(xnli.comparisons) == ["dlfa-k0"]  # k=4 has no seed in common with the baseline
    rows = {row[0]: row[1:4] for row in models_table(xnli).rows}
    assert rows["dlfa-k0 (chosen on dev, oracle)"] == ["2", "58.0 ± 2.8", "+1.0"]  # the difference of seed 1 alone
    assert rows["dlfa-k4"] == ["1 of 2", "57.0", "–"]
    assert rows["dlfa-k8"] == ["0 of 2", "–", "–"]
    assert summary_table([xnli]).rows[0][3] == "3 of 6"


def test_a_language_that_a_run_lacks_is_left_out_of_the_averages(make_spec, make_records):
    spec = make_spec()

    def scores(cell):
        found = dict(SCORES[cell.model.name, cell.seed])
        if cell.model.name == "dlfa-k8":
            del found["ru"]
        return found

    (section,) = sections(spec, make_records(spec, scores))
    assert section.languages == ["de"]
    rows = by(model_rows(section), "model")
    assert (rows["baseline"]["zero_shot"], rows["dlfa-k0"]["difference"]) == (61.0, 1.5)
    russian = [row["model"] for row in language_rows(section) if row["language"] == "ru"]
    assert russian == ["dlfa-k0", "dlfa-k4"]


@pytest.mark.parametrize("scored", [{"en"}, {"en", "de", "ru"}])
def test_models_without_layers(make_spec, make_records, scored):
    spec = make_spec(
        models={"sum": {"fusion": "sum", "fusion_layer": 8}, "mix|ture": {"fusion": "scalar_mix"}}, seeds=[1]
    )
    scores = {code: score for code, score in SCORES["baseline", 1].items() if code in scored}
    (section,) = sections(spec, make_records(spec, lambda cell: scores))
    assert section.groups == {}
    assert summary_table([section]).rows == []
    zero_shot = "–" if scored == {"en"} else "55.0"
    assert [row[2] for row in models_table(section).rows] == [zero_shot] * 3
    assert "| mix\\|ture | 1 |" in models_table(section).markdown()
    shown = languages_table(section).header[4:]
    assert shown == ([] if scored == {"en"} else ["sum", "difference", "mix|ture", "difference"])


def test_chance_level_is_marked(make_spec, make_record):
    spec = make_spec()
    records = [
        make_record(
            cell,
            SCORES[cell.model.name, cell.seed],
            chance_level=["ru"] if (cell.model.name, cell.seed) == ("baseline", 2) else [],
        )
        for cell in spec.cells
    ]
    (section,) = sections(spec, records)
    russian = languages_table(section).rows[2]
    assert russian[3:5] == ["52.0?", "53.5"]
    assert languages_table(section).notes[-1].startswith("? ")
    table = models_table(section)
    assert [row[table.header.index("languages at chance")] for row in table.rows] == ["1", "0", "0", "0"]
    assert {row["language"] for row in language_rows(section) if row["at_chance"]} == {"ru"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.26, "+1.3"), (-0.3, "-0.3"), (0.04, "0.0"), (-0.04, "0.0"), (math.nan, "–"), (math.inf, "–")],
)
def test_signed(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.71, 1.1, "-0.7 to +1.1"),
        (-0.02, 0.03, "-0.02 to +0.03"),
        (-0.12, -0.06, "-0.12 to -0.06"),
        (0.0011, 0.0024, "+0.001 to +0.002"),
        (math.nan, math.nan, "–"),
        (-math.inf, math.inf, "–"),
    ],
)
def test_intervals(low, high, text):
    assert interval(low, high) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(-0.04, 0.12, "-0.04 to +0.12"), (0.241, 0.244, "+0.241 to +0.244"), (0.25, 0.25, "+0.250 to +0.250")],
)
def test_intervals_with_more_digits(low, high, text):
    assert interval(low, high, 2) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(value):
    assert (rounded(value), plus_minus(value, 1.0), plus_minus(1.0, value)) == ("–", "–", "1.0")
    assert csv_text([{"a": value, "b": 1.0}]) == "a,b\n,1\n"


def test_mean_and_deviation():
    assert mean_std([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert mean_std([4.0])[0] == 4.0
    assert math.isnan(mean_std([4.0])[1])
    assert all(map(math.isnan, mean_std([])))
    assert all(map(math.isnan, mean_std([math.nan, math.nan])))


@pytest.mark.parametrize(("code", "label"), [("de", "de German"), ("en", "en English *"), ("xx", "xx")])
def test_language_label(code, label):
    assert language_label(code, "en") == label
