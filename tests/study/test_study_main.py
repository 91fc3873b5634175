"""The commands of a study, as a user gives them."""

import json
from datetime import datetime, timedelta

import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState, create_trial

from modeling_dlfa import machine
from modeling_dlfa.study.__main__ import main
from modeling_dlfa.study.commands import time_left, worker_environment
from modeling_dlfa.study.engine import CellStatus, State
from modeling_dlfa.study.spec import BASELINE, Cell, Model


@pytest.fixture
def study(tmp_path, tiny_encoder, xtreme_folder, monkeypatch):
    """A study file of two cells; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    values = {
        "title": "A <small> study",
        "tasks": {"xnli": {"num_train_epochs": 4}},
        "models": {"dlfa": {"fusion_layer": 1}},
        "encoders": [tiny_encoder],
        "seeds": [1],
        "arguments": {
            "data": str(xtreme_folder),
            "max_length": 16,
            "learning_rate": 5e-3,
            "per_device_train_batch_size": 8,
            "eval_strategy": "no",
            "use_cpu": True,
        },
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_from_the_file_to_the_report(study, tmp_path, capsys):
    assert main(["status", str(study)]) == 0
    shown = capsys.readouterr().out
    assert "xnli" in shown and "refuses" not in shown

    assert main(["run", str(study)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "xnli/tiny-encoder/baseline-seed1",
        "xnli/tiny-encoder/dlfa-seed1",
        "report of 2 of 2 runs",
    ]
    page = tmp_path / "runs" / "small" / "report" / "index.html"
    assert "A &lt;small&gt; study" in page.read_text(encoding="utf-8")

    assert main(["run", str(study)]) == 0  # there is nothing left to run
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["report of 2 of 2 runs"]

    assert main(["status", str(study)]) == 0
    assert "0:00:00 left" in capsys.readouterr().out

    # The committed files are enough for the report: no storage, no runs.
    first = page.read_bytes()
    page.unlink()
    (tmp_path / "runs" / "small" / "study.db").unlink()
    assert main(["report", str(study)]) == 0
    assert page.read_bytes() == first
    assert not (tmp_path / "runs" / "small" / "study.db").exists()


def test_status_says_what_run_would_refuse(study, capsys):
    values = yaml.safe_load(study.read_text())
    values["encoders"] = ["no/such"]
    study.write_text(yaml.safe_dump(values))
    assert main(["status", str(study)]) == 0
    assert "run refuses it: small, xnli/such/baseline: " in capsys.readouterr().out


def test_failed_cells_are_shown_and_retried(study, capsys, monkeypatch):
    values = yaml.safe_load(study.read_text())
    values["models"]["dlfa"]["learning_rate"] = 1e30
    values["models"]["dlfa"]["max_grad_norm"] = 0
    study.write_text(yaml.safe_dump(values))
    assert main(["run", str(study)]) == 1
    output = capsys.readouterr().out
    assert "failed: xnli/tiny-encoder/dlfa-seed1: training has diverged" in output
    assert "report of 1 of 2 runs" in output
    assert main(["status", str(study)]) == 0
    assert "InputError: training has diverged" in capsys.readouterr().out
    assert main(["retry", str(study)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "xnli/tiny-encoder/dlfa-seed1"
    assert main(["run", str(study)]) == 1  # and fails again
    assert "training has diverged" in capsys.readouterr().out
    assert main(["run", str(study)]) == 1  # is not tried again by itself
    assert capsys.readouterr().out.count("diverged") == 1
    assert main(["run", str(study), "--retry"]) == 1
    assert capsys.readouterr().out.count("diverged") == 2


def test_a_study_of_which_nothing_succeeds_has_a_report_too(study, tmp_path, capsys):
    values = yaml.safe_load(study.read_text())
    values["arguments"] |= {"learning_rate": 1e30, "max_grad_norm": 0}
    study.write_text(yaml.safe_dump(values))
    assert main(["run", str(study)]) == 1
    printed = capsys.readouterr()
    assert "report of 0 of 2 runs" in printed.out and printed.out.count("training has diverged") == 4
    assert printed.err == ""
    page = (tmp_path / "runs" / "small" / "report" / "index.html").read_text("utf-8")
    assert "0 of 2 runs: none is done yet." in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["command", "study"]),
        (["start", "x.yaml"], ["'start'", "run"]),
        (["run", "none.yaml"], ["none.yaml"]),
        (["report", "STUDY"], ["small", "no cell"]),
        (["run", "STUDY", "--storage", "nonsense"], ["--storage nonsense"]),
        (["run", "STUDY", "--workers", "two"], ["workers", "two"]),
        (["run", "STUDY", "--workers", "0"], ["--workers 0"]),
        (["run", "STUDY", "--heartbeat", "0"], ["--heartbeat 0"]),
    ],
)
def test_mistakes_are_one_line(study, capsys, arguments, words):
    assert main([str(study) if word == "STUDY" else word for word in arguments]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
    assert all(word in output.err for word in words), output.err


def test_a_study_that_cannot_start_starts_nothing(study, tmp_path, capsys):
    values = yaml.safe_load(study.read_text())
    values["models"]["dlfa"]["fusion_layer"] = [1, 9]
    study.write_text(yaml.safe_dump(values))
    assert main(["run", str(study)]) == 2
    assert "dlfa-k9" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("gpus", "visible", "expected"),
    [
        (0, None, [None, None, None]),
        (2, None, ["0", "1", "0"]),
        (2, "5,7", ["5", "7", "5"]),
        (1, None, ["0", "0", "0"]),
    ],
)
def test_workers_share_cores_and_gpus(monkeypatch, gpus, visible, expected):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    environments = [worker_environment(number, 3) for number in range(3)]
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in environments] == expected
    assert {environment["OMP_NUM_THREADS"] for environment in environments} == {"2"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert "OMP_NUM_THREADS" not in worker_environment(0, 3)


NOW = datetime(2024, 2, 29, 12)


def status(task: str, state: State, *, took: float = 0, begun: float = 0) -> CellStatus:
    cell = Cell(task, "tiny", Model(BASELINE, BASELINE, {"fusion": "none"}), 1, {})
    if state is State.WAITING:
        return CellStatus(cell, state, None)
    trial: FrozenTrial = create_trial(state=TrialState.WAITING)
    trial.state = TrialState.COMPLETE if state is State.DONE else TrialState.RUNNING
    trial.datetime_start = NOW - timedelta(seconds=took or begun)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=took) if state is State.DONE else None
    return CellStatus(cell, state, trial)


DONE, RUNNING, WAITING = State.DONE, State.RUNNING, State.WAITING


@pytest.mark.parametrize(
    ("statuses", "seconds"),
    [
        ([status("udpos", WAITING)], None),
        ([status("udpos", DONE, took=100)], 0),
        ([status("udpos", DONE, took=100), status("udpos", WAITING)], 100),
        ([status("udpos", DONE, took=100), status("udpos", RUNNING, begun=30)], 70),
        ([status("udpos", DONE, took=100), status("udpos", RUNNING, begun=300)], 0),
        ([status("udpos", DONE, took=100), *[status("udpos", RUNNING, begun=50)] * 2, status("udpos", WAITING)], 100),
        ([status("udpos", DONE, took=100), status("panx", DONE, took=40), status("panx", WAITING)], 40),
        ([status("udpos", DONE, took=100), status("panx", DONE, took=40), status("xnli", WAITING)], 70),
    ],
)
def test_expected_time_left(statuses, seconds):
    left = time_left(statuses, NOW)
    assert left == (None if seconds is None else timedelta(seconds=seconds))


def test_scouting_ranks_all_layers_and_is_not_repeated(study, tmp_path, capsys, monkeypatch):
    values = yaml.safe_load(study.read_text())
    values["models"]["dlfa"]["fusion_layer"] = [0, 2]
    study.write_text(yaml.safe_dump(values))
    assert main(["scout", str(study)]) == 0
    output = capsys.readouterr().out
    (file,) = (tmp_path / "runs" / "small" / "scout").rglob("*.json")
    assert file.relative_to(tmp_path / "runs" / "small" / "scout").as_posix() == "xnli/tiny-encoder/dlfa-seed1.json"
    found = json.loads(file.read_text())
    assert list(found["scores"]) == ["0", "1", "2"]  # of a three-layer encoder, whatever the grid has
    assert all(f"{score:.1f}" in output for score in found["scores"].values())
    assert f"dlfa-seed1: layer {found['layer']}" in output

    def again(*_):
        raise AssertionError("scouted twice")

    monkeypatch.setattr("modeling_dlfa.study.scouting.scout", again)
    assert main(["scout", str(study)]) == 0
    assert capsys.readouterr().out == output
    values["arguments"]["learning_rate"] = 1e-4
    study.write_text(yaml.safe_dump(values))
    with pytest.raises(AssertionError, match="scouted twice"):
        main(["scout", str(study), "--debug"])
