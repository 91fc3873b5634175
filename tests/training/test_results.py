"""The results file, the averages, and the table on the screen."""

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.results import RESULTS_FILE, RunResults, averages, data_name, results_table, short_name


def results(scores: dict[str, float], task: str = "udpos", **changes) -> RunResults:
    metrics = ("f1", "accuracy") if task == "udpos" else (TASKS[task].metric,)
    values = {
        "task": task,
        "eval_split": "test",
        "metric": TASKS[task].metric,
        "scores": scores,
        **averages(scores, "en"),
        "all_metrics": {
            code: {name: value + 10 * i for i, name in enumerate(metrics)} for code, value in scores.items()
        },
        "support": {code: 100 + i for i, code in enumerate(scores)},
        "chance_level": [],
        "development_score": 90.0,
        "encoder": "embedded",
        "fusion": "aif",
        "fusion_layer": 8,
        "model_config": {"pooling": "cls"},
        "seed": 1,
        "train_language": "en",
        "train_samples": 2000,
        "train_runtime": 12.3,
        "training": {"learning_rate": 2e-5, "steps": 126},
        "data": "hub",
        "versions": {"python": "3.11.7"},
    }
    return RunResults(**(values | changes))


def shown(runs: list[RunResults], width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(results_table(runs))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # pyright: ignore


@pytest.mark.parametrize(
    ("scores", "average", "zero_shot", "gap"),
    [
        ({"en": 90.0, "de": 70.0, "zh": 50.0}, 70.0, 60.0, 30.0),
        ({"en": 90.0}, 90.0, None, None),
        ({"de": 70.0, "zh": 50.0}, 60.0, 60.0, None),
        ({"en": 50.0, "de": 60.0}, 55.0, 60.0, -10.0),
    ],
)
def test_averages(scores: dict, average: float, zero_shot: float | None, gap: float | None):
    assert averages(scores, "en") == {"average": average, "zero_shot_average": zero_shot, "transfer_gap": gap}


@pytest.mark.parametrize(
    ("fusion", "layer", "name"),
    [
        ("none", None, "baseline"),
        ("aif", 8, "DLFA k=8"),
        ("aif", [4, 8], "DLFA k=4+8"),
        ("concat", 0, "concat k=0"),
        ("aif_layer", 8, "aif_layer k=8"),
        ("mix_all", None, "mix_all"),
    ],
)
def test_model_name(fusion: str, layer: int | list[int] | None, name: str):
    one = results({"en": 1.0}, fusion=fusion, fusion_layer=layer)
    assert one.model_name == name
    stages = [{"task": "uddep"}, {"task": "panx"}]
    assert replace(one, intermediate=stages).model_name == f"{name} after uddep, panx"


def test_files_of_old_versions_are_read(tmp_path: Path):
    values = asdict(results({"en": 1.0, "de": 2.0}))
    for name in ("scouting", "development_majority", "intermediate"):
        del values[name]
    (tmp_path / RESULTS_FILE).write_text(json.dumps(values))
    old = RunResults.load(tmp_path)
    assert (old.scouting, old.development_majority, old.intermediate) == (None, None, [])


def test_file_round_trip(tmp_path: Path):
    one = results({"en": 90.123456789, "de": 70.0})
    path = one.save(tmp_path)
    assert path == tmp_path / RESULTS_FILE
    assert RunResults.load(path) == RunResults.load(tmp_path) == one
    assert [file.name for file in tmp_path.iterdir()] == [RESULTS_FILE]
    values = json.loads(path.read_text(encoding="utf-8"))
    assert list(values) == [
        *("task", "eval_split", "metric", "scores", "average", "zero_shot_average", "transfer_gap", "all_metrics"),
        *("support", "chance_level", "development_score", "encoder", "fusion", "fusion_layer", "model_config", "seed"),
        *("train_language", "train_samples", "train_runtime", "training", "data", "versions", "scouting"),
        *("development_majority", "intermediate", "task_definition", "eval_data", "used", "found"),
    ]


def test_a_file_from_before_there_was_scouting(tmp_path: Path):
    path = results({"en": 90.0}).save(tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["scouting"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert RunResults.load(path) == results({"en": 90.0})


def test_entries_of_later_versions_are_left_alone(tmp_path: Path):
    path = results({"en": 90.0}).save(tmp_path)
    values = json.loads(path.read_text(encoding="utf-8")) | {"new": 1}
    path.write_text(json.dumps(values), encoding="utf-8")
    assert RunResults.load(path).scores == {"en": 90.0}


@pytest.mark.parametrize("text", [None, "", "[1]", '{"task": "udpos"}', "{"])
def test_no_results_file(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / RESULTS_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=RESULTS_FILE) as caught:
        RunResults.load(tmp_path)
    assert "\n" not in str(caught.value)


ONE_RUN = """\
udpos · embedded · 2,000 en examples · seed 1
┏━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━┳━━━━━━━┳━━━━━━━━━━┓
┃ family       ┃ language          ┃   n ┃    f1 ┃ accuracy ┃
┡━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━╇━━━━━━━╇━━━━━━━━━━┩
│ IE: Germanic │ en English *      │ 100 │  90.0 │    100.0 │
│              │ de German         │ 101 │  70.0 │     80.0 │
├──────────────┼───────────────────┼─────┼───────┼──────────┤
│ Sino-Tibetan │ zh Chinese        │ 102 │ 20.5? │     30.5 │
├──────────────┼───────────────────┼─────┼───────┼──────────┤
│ Other        │ xx                │ 103 │  50.0 │     60.0 │
├──────────────┼───────────────────┼─────┼───────┼──────────┤
│              │ average           │     │  57.6 │     67.6 │
│              │ zero-shot average │     │  46.8 │     56.8 │
│              │ gap               │     │  43.2 │     43.2 │
└──────────────┴───────────────────┴─────┴───────┴──────────┘
f1 on test data, in percent; * training language; ? no better
than the most frequent label"""

TWO_RUNS = """\
xnli · embedded · 2,000 en examples · seed 1
┏━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━┳━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━━┓
┃ family       ┃ language          ┃   n ┃ baseline ┃ DLFA k=8 ┃ difference ┃
┡━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━╇━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━━┩
│ IE: Germanic │ en English *      │ 100 │     80.0 │     79.5 │       -0.5 │
├──────────────┼───────────────────┼─────┼──────────┼──────────┼────────────┤
│ Niger-Congo  │ sw Swahili        │ 101 │    33.3? │     40.0 │       +6.7 │
├──────────────┼───────────────────┼─────┼──────────┼──────────┼────────────┤
│              │ average           │     │     56.6 │     59.8 │       +3.1 │
│              │ zero-shot average │     │     33.3 │     40.0 │       +6.7 │
│              │ gap               │     │     46.7 │     39.5 │       -7.2 │
└──────────────┴───────────────────┴─────┴──────────┴──────────┴────────────┘
accuracy on test data, in percent; * training language; ? no better than the
most frequent label"""


def test_table_of_one_run():
    assert shown([results({"en": 90.0, "de": 70.0, "zh": 20.5, "xx": 50.0}, chance_level=["zh"])]) == ONE_RUN


def test_table_of_two_runs():
    baseline = results({"en": 80.0, "sw": 33.3}, "xnli", fusion="none", fusion_layer=None, chance_level=["sw"])
    assert shown([baseline, results({"en": 79.5, "sw": 40.0}, "xnli")]) == TWO_RUNS


def test_table_without_other_languages_has_no_gap():
    text = shown([results({"en": 90.0})])
    assert "average" in text and "zero-shot" not in text and "gap" not in text


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_all_languages_fit(runs: int):
    scores = dict.fromkeys(TASKS["panx"].languages, 100.0)
    one = results(scores, "panx", chance_level=list(scores), encoder="organisation/a-rather-long-name-of-an-encoder")
    one = replace(one, all_metrics={code: dict.fromkeys(("f1", "precision", "recall"), 100.0) for code in scores})
    text = shown([one] * runs)
    assert max(map(len, text.splitlines())) <= 100
    rows = [line for line in text.splitlines() if line.startswith("│")]
    assert len(rows) == len(scores) + 3  # nothing is wrapped
    assert sum("100.0?" in row for row in rows) == len(scores)
    assert "…" not in text


def test_brackets_in_names_are_no_markup(tmp_path: Path):
    assert "runs[2]/encoder" in shown([results({"en": 90.0}, encoder="runs[2]/encoder")])


def test_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "secret" / "encoder"
    folder.mkdir(parents=True)
    assert short_name(str(folder)) == short_name(f"{folder}/") == "encoder"
    monkeypatch.chdir(folder)
    assert short_name(".") == "encoder"
    assert short_name("FacebookAI/xlm-roberta-base") == "FacebookAI/xlm-roberta-base"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("hub", "hub"),
        ("sample", "sample"),
        ("../shared/data/xtreme", "xtreme"),  # on a machine where it is not
        ("/data/xtreme/", "xtreme"),
        ("C:\\data\\xtreme", "xtreme"),
        ("~/xtreme", "xtreme"),
    ],
)
def test_data_are_called_the_same_on_every_machine(data: str, name: str):
    assert data_name(data) == name
