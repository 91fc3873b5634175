"""Every model of a study is tuned by the same grid, on English development data, before its cells are run."""

import json
from pathlib import Path

import pytest
import yaml

from modeling_dlfa.errors import InputError
from modeling_dlfa.states import StatesCache
from modeling_dlfa.study import tuning
from modeling_dlfa.study.__main__ import main
from modeling_dlfa.study.spec import TUNED_FILE, load_spec
from modeling_dlfa.study.tuning import points, tuned_study
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.run import run
from modeling_dlfa.training.trial import development_score


STUDY = """
tasks: [udpos]
encoders: [{encoder}]
models:
  dlfa: {{fusion: aif, fusion_layer: [0, 1, 2]}}
conditions:
  gentle: {{weight_decay: 0.1}}
seeds: [3]
tune:
  learning_rate: [1e-5, 1e-2]
  input_norm: [none, standard]
arguments:
  data: {data}
  states_dir: {states}
  languages: en,de
  max_length: 16
  train: fusion
  num_train_epochs: 2
  per_device_train_batch_size: 8
  eval_strategy: "no"
  use_cpu: true
"""


@pytest.fixture
def study(tmp_path: Path, tiny_encoder: str, xtreme_folder: Path) -> Path:
    path = tmp_path / "study.yaml"
    text = STUDY.format(encoder=tiny_encoder, data=xtreme_folder, states=tmp_path / "states")
    path.write_text(text, encoding="utf-8")
    return path


def scores_of(monkeypatch, best: dict[str, tuple[float, str]]) -> list[tuple[str, int | None, int]]:
    """Trials that score 90 at the best point of a fusion, else 50; returns what was tried."""
    tried = []

    def score(arguments, training_arguments, data) -> float:
        assert list(data.evaluation) == ["en"]
        tried.append((arguments.fusion, arguments.fusion_layer, training_arguments.seed))
        return 90.0 if (training_arguments.learning_rate, arguments.input_norm) == best[arguments.fusion] else 50.0

    monkeypatch.setattr(tuning, "development_score", score)
    return tried


def test_every_model_takes_its_best_point(study, tmp_path: Path, monkeypatch):
    tried = scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (1e-5, "standard")})
    spec = load_spec(study, tmp_path / "out")
    lines: list[str] = []
    tuned = tuned_study(spec, lines.append)
    assert tried == [("none", None, 3)] * 4 + [("aif", 1, 3)] * 4  # the middle layer, the first seed
    assert len(lines) == 8 and "learning_rate 1e-2, input_norm none: 90.0" in "\n".join(lines)
    chosen = {"none": (1e-2, "none"), "aif": (1e-5, "standard")}
    for cell in tuned.cells:
        arguments, training_arguments = cell.run_arguments("unused")
        assert (training_arguments.learning_rate, arguments.input_norm) == chosen[arguments.fusion], cell.name
    assert len(tuned.cells) == 8 and {cell.model.condition for cell in tuned.cells} == {None, "gentle"}
    assert {cell.key for cell in tuned.cells}.isdisjoint(cell.key for cell in spec.cells)
    # Whoever reads the study again knows it; nothing is tried twice, and a new grid is tried anew.
    assert [cell.key for cell in load_spec(study, tmp_path / "out").cells] == [cell.key for cell in tuned.cells]
    tuned_study(spec, lines.append)
    assert len(tried) == 8
    study.write_text(study.read_text().replace("1e-5, 1e-2", "1e-5, 1e-2, 3e-2"), encoding="utf-8")
    wider = load_spec(study, tmp_path / "out")
    assert not wider.tuned
    tuned_study(wider, lines.append)
    assert len(tried) == 12


def test_of_equal_choices_the_first_is_taken_and_said_to_be_one_of_several(study, tmp_path: Path, monkeypatch):
    scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (0.5, "none")})  # the second is not in the grid
    best = tuned_study(load_spec(study, tmp_path / "out"), lambda _: None).tuned
    assert [(one["arguments"], one["equal"]) for one in best.values()] == [
        ({"learning_rate": "1e-2", "input_norm": "none"}, 1),
        ({"learning_rate": "1e-5", "input_norm": "none"}, 4),
    ]


def test_data_that_are_missing_are_found_before_anything_is_tuned(study, tmp_path: Path, monkeypatch, capsys):
    tried = scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (1e-5, "none")})
    missing = "{udpos: {}, panx: {data: /nowhere}}"
    study.write_text(study.read_text().replace("[udpos]", missing), encoding="utf-8")
    assert main(["run", str(study), "--output_dir", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert not tried and "panx/" in said and "no data folder '/nowhere'" in said


def test_the_middle_one_is_that_of_the_layers(study, tmp_path: Path):
    study.write_text(study.read_text().replace("[0, 1, 2]", "[2, 0, 1]"), encoding="utf-8")
    layers = [point.cell.model.fusion_layer for point in points(load_spec(study, tmp_path / "out"))]
    assert layers == [None] * 4 + [1] * 4


@pytest.mark.parametrize(
    "flags", ["", "--train fusion", "--warm_start", "--average_checkpoints 2", "--objectives r_drop"]
)
def test_a_trial_is_the_training_of_a_run(tiny_dropout_encoder: str, xtreme_folder: Path, tmp_path: Path, flags: str):
    objectives = ["--objectives", '{"r_drop": 2.0}'] if "r_drop" in flags else flags.split()
    given = ["--data", str(xtreme_folder), "--model_name_or_path", tiny_dropout_encoder, "--languages", "en,de"]
    given += ["--max_length", "16", "--use_cpu", "--disable_tqdm", "true", "--eval_strategy", "no", "--learning_rate"]
    given += ["1e-3", "--num_train_epochs", "2", "--states_dir", str(tmp_path / "states"), *objectives]
    arguments, training_arguments = CommandLine(given).arguments("udpos", "aif", tmp_path / "out")
    tried = development_score(arguments, training_arguments)
    assert not list((tmp_path / "out").rglob("*"))
    assert run(arguments, training_arguments).development_score == tried


def test_other_data_are_tuned_anew(study, tmp_path: Path, monkeypatch, xtreme_folder):
    tried = scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (1e-5, "standard")})
    tuned_study(load_spec(study, tmp_path / "out"), lambda _: None)
    study.write_text(f"{study.read_text()}  max_train_samples: 30\n", encoding="utf-8")
    tuned_study(load_spec(study, tmp_path / "out"), lambda _: None)
    assert len(tried) == 16


def test_a_report_does_not_mix_grids(study, tmp_path: Path, monkeypatch, capsys):
    scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (1e-5, "standard")})
    tuned_study(load_spec(study, tmp_path / "out"), lambda _: None)
    load_spec(study, tmp_path / "out").check_tuned()
    study.write_text(study.read_text(encoding="utf-8").replace("1e-5", "2e-5"), encoding="utf-8")
    assert main(["report", str(study), "--output_dir", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'out' / TUNED_FILE} was found for the grid")
    assert line.endswith("run the study")


def test_a_report_has_no_model_that_was_not_tuned(study, tmp_path: Path, monkeypatch, capsys):
    scores_of(monkeypatch, {"none": (1e-2, "none"), "aif": (1e-5, "standard")})
    tuned_study(load_spec(study, tmp_path / "out"), lambda _: None)
    values = yaml.safe_load(study.read_text(encoding="utf-8"))
    values["models"]["later"] = {"fusion": "aif", "fusion_layer": 1}
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert main(["report", str(study), "--output_dir", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {tmp_path / 'out' / TUNED_FILE} has nothing for udpos/tiny-encoder/later: run the study"


def test_a_point_that_another_worker_tries_is_waited_for(study, tmp_path: Path, monkeypatch):
    """The first one is taken by another; it is left for last, and not tried where the other has."""
    spec = load_spec(study, tmp_path / "out")
    first = points(spec)[0]
    order = []

    def score(arguments, training_arguments, data) -> float:
        order.append((arguments.fusion, training_arguments.learning_rate, arguments.input_norm))
        return 50.0

    monkeypatch.setattr(tuning, "development_score", score)
    original = tuning.FileLock.acquire

    def acquire(self, timeout=None, **kwargs):
        if Path(self.lock_file).stem == first.path.stem and first.group in self.lock_file and timeout == 0:
            raise tuning.Timeout(self.lock_file)
        return original(self, timeout=timeout, **kwargs)

    monkeypatch.setattr(tuning.FileLock, "acquire", acquire)
    tuned_study(spec, lambda _: None)
    assert len(order) == 8 and order[-1] == ("none", 1e-5, "none")


@pytest.mark.slow
def test_the_command_tunes_and_runs(study, tmp_path: Path, capsys):
    assert main(["run", str(study), "--output_dir", str(tmp_path / "out"), "--workers", "2"]) == 0
    out = capsys.readouterr().out
    assert "report of 8 of 8 runs" in out
    runs = [RunResults.load(path) for path in (tmp_path / "out" / "runs").rglob("all_results.json")]
    best = json.loads((tmp_path / "out" / TUNED_FILE).read_text())["best"]
    assert sorted(name.rpartition("/")[2] for name in best) == ["baseline", "dlfa"]
    for group, found in best.items():
        of_group = [one for one in runs if (one.fusion == "none") == group.endswith("baseline")]
        assert {one.training["learning_rate"] for one in of_group} == {float(found["arguments"]["learning_rate"])}
        files = (tmp_path / "out" / "tuning" / group).glob("*.json")
        scores = [json.loads(path.read_text())["score"] for path in files]
        assert len(scores) == 4 and max(scores) == found["score"]
    # One pass over the data was enough for all layers.
    assert {tuple(layers) for _, layers in StatesCache(tmp_path / "states").sets()} == {(0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("learning_rate: [1e-5, 1e-2]", "learning_rate: 1e-5"), "tune: expected arguments with lists of values"),
        (("learning_rate: [1e-5, 1e-2]", "learning_rate: []"), "tune: expected arguments with lists of values"),
        (("input_norm: [none, standard]", "fusion_layer: [0, 1]"), "tune: which layer is fused, and how"),
        (("input_norm: [none, standard]", "seed: [1, 2]"), "tune: seed is not an argument to give here"),
        (("input_norm: [none, standard]", "learn: [1, 2]"), "unrecognized arguments: --learn=1"),
        (("input_norm: [none, standard]", "input_norm: [none, some]"), "invalid choice: 'some'"),
        (("[0, 1, 2]", "[0, 1, 2], learning_rate: 1e-3"), "models.dlfa.learning_rate: it is tuned"),
        (("weight_decay: 0.1", "input_norm: layer"), "conditions.gentle.input_norm: it is tuned"),
        (("[0, 1, 2]", "auto"), "fusion_layer auto: a layer is not looked for to tune"),
        (("train: fusion", "train: all\n  intermediate_tasks: panx"), "intermediate tasks are not run to tune"),
    ],
)
def test_mistakes_are_one_line(study, tmp_path: Path, capsys, change, message):
    study.write_text(study.read_text().replace(*change), encoding="utf-8")
    assert main(["run", str(study), "--output_dir", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out" / "runs").exists()


def test_a_study_without_a_grid_is_left_alone(study, tmp_path: Path):
    text = study.read_text()
    study.write_text(text[: text.index("tune:")] + text[text.index("arguments:") :], encoding="utf-8")
    spec = load_spec(study, tmp_path / "out")
    assert spec.tune == {} and spec.tuned == {}


def test_errors_say_at_which_point(study, tmp_path: Path, monkeypatch):
    def refuse(*_):
        raise InputError("no")

    monkeypatch.setattr(tuning, "development_score", refuse)
    message = r"tuning udpos/.*/baseline with \{'learning_rate': '1e-5', 'input_norm': 'none'\}: no"
    with pytest.raises(InputError, match=message):
        tuned_study(load_spec(study, tmp_path / "out"))
