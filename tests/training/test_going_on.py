"""Going on with a run: with the settings that it was begun with, or not at all."""

import json
import shutil
from pathlib import Path

import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.training import run as run_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.folder import (
    SETTINGS_FILE,
    alone_in,
    check_same_settings,
    last_checkpoint,
    write_settings,
)
from modeling_dlfa.training.launch import plan
from modeling_dlfa.training.noted import first_difference


FEW = "--max_train_samples 24 --max_eval_samples 9 --languages de,zh --max_steps 3 --eval_strategy no"
SAVED = f"{FEW} --save_strategy steps --save_steps 1 --save_total_limit 9"
LAST = "--resume_from_checkpoint last"


def stop(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def stopped(argv, tmp_path_factory: pytest.TempPathFactory):
    """stopped(function, flags): the folder of a run that was stopped as it came to a function of `run`."""

    def folder(function: str, flags: str) -> Path:
        output = tmp_path_factory.mktemp("stopped") / "out"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(run_module, function, stop)
            assert main(argv("pawsx", output, flags)) == 130
        return output

    return folder


@pytest.fixture(scope="module")
def unfinished(stopped) -> Path:
    """A run that was stopped after its training, before it was saved; not to be written to."""
    folder = stopped("trained_by", SAVED)
    assert (folder / "checkpoint-3").is_dir()
    return folder


@pytest.fixture(scope="module")
def trained(stopped) -> Path:
    """A run that was stopped while it was scored."""
    folder = stopped("score", FEW)
    assert (folder / "trained.json").is_file()
    return folder


@pytest.fixture(scope="module")
def finished(argv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "out"
    assert main(argv("pawsx", folder, FEW)) == 0
    return folder


DIFFERENT = [
    ("--learning_rate 1e-3", "with learning_rate 0.005, not 0.001"),
    ("--seed 7", "with seed 42, not 7"),
    ("--max_train_samples 20", "with max_train_samples 24, not 20"),
    ("--max_eval_samples 8", "with development_samples 9, not 8"),
    ("--per_device_train_batch_size 4", "with per_device_train_batch_size 8, not 4"),
    ("--gradient_accumulation_steps 2", "with gradient_accumulation_steps 1, not 2"),
    ("--fusion none", "with fusion 'aif', not 'none'"),
    ("--objectives {\"r_drop\":1}", "with objectives None, not {'r_drop': 1}"),
    ("--task xnli", "with task 'pawsx', not 'xnli'"),
    ("--data sample", "with data"),
    ("--learning_rate 1e-3 --seed 7 --max_train_samples 30", "with max_train_samples 24, not 30"),
]  # fmt: skip


@pytest.mark.parametrize("folder", ["unfinished", "trained", "finished"])
@pytest.mark.parametrize(("flags", "message"), DIFFERENT)
def test_another_run_does_not_go_on(argv, request, capsys, folder: str, flags: str, message: str):
    output: Path = request.getfixturevalue(folder)
    given = SAVED if folder == "unfinished" else FEW
    before = sorted(path.name for path in output.rglob("*"))
    capsys.readouterr()
    if folder == "finished" and "development" in message:
        message = "with max_eval_samples 9, not 8"  # its scores are those of the settings
    assert main(argv("pawsx", output, f"{given} {flags} {LAST}")) == 2
    error = capsys.readouterr().err
    assert f"{output} is of a run {message}" in error and error.count("\n") == 1
    assert sorted(path.name for path in output.rglob("*")) == before


def test_another_number_of_processes(argv, unfinished: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    settings = json.loads((unfinished / SETTINGS_FILE).read_text(encoding="utf-8"))
    assert (settings["processes"], settings["batch_size"]) == (1, 8)
    with pytest.raises(InputError, match="with processes 1, not 2: give what that run was given"):
        check_same_settings(unfinished, settings | {"processes": 2})


SAME = "--languages en --eval_split validation --logging_steps 3 --per_device_eval_batch_size 2 --run_name again"


@pytest.mark.parametrize("folder", ["unfinished", "trained"])
def test_what_decides_nothing_may_differ(argv, request, folder: str):
    output: Path = request.getfixturevalue(folder)
    given = SAVED if folder == "unfinished" else FEW
    flags = f"{given} --learning_rate 0.0050 --pooling=mean {SAME} {LAST}"
    (planned,) = plan(CommandLine(argv("pawsx", output, flags)), output)["pawsx"]
    assert planned.finished is None


def test_the_same_command_goes_on(argv, finished: Path, capsys):
    assert main(argv("pawsx", finished, f"{FEW} {LAST}")) == 0
    assert "PAWS" in capsys.readouterr().out.upper()
    assert main(argv("pawsx", finished, f"{FEW} --languages de {LAST}")) == 2  # what is there has other scores


def test_a_checkpoint_that_is_named(argv, unfinished: Path, tmp_path: Path, capsys):
    flags = f"{SAVED} --resume_from_checkpoint {unfinished / 'checkpoint-2'}"
    assert main(argv("pawsx", tmp_path / "out", f"{flags} --seed 9")) == 2
    assert "with seed 42, not 9" in capsys.readouterr().err
    assert main(argv("pawsx", tmp_path / "out", flags)) == 0


def test_a_moved_run_keeps_its_best_checkpoint_and_its_seconds(argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The Trainer notes where the best checkpoint was; it would forget it, and take the last step."""
    flags = "--max_train_samples 24 --max_eval_samples 9 --languages de --max_steps 4 --load_best_model_at_end true "
    flags += "--eval_strategy steps --eval_steps 1 --save_strategy steps --save_steps 1 --save_total_limit 9"
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "trained_by", stop)
        assert main(argv("pawsx", tmp_path / "one", flags)) == 130
    for step in (3, 4):
        shutil.rmtree(tmp_path / "one" / f"checkpoint-{step}")
    state = tmp_path / "one" / "checkpoint-2" / "trainer_state.json"
    noted = json.loads(state.read_text(encoding="utf-8"))
    noted["best_metric"], noted["best_model_checkpoint"] = 1e9, str(tmp_path / "one" / "checkpoint-1")
    noted["stateful_callbacks"]["TimeSpent"]["args"]["seconds"] += 1000
    state.write_text(json.dumps(noted), encoding="utf-8")
    (tmp_path / "one").rename(tmp_path / "two")
    assert main(argv("pawsx", tmp_path / "two", f"{flags} {LAST}")) == 0
    results = json.loads((tmp_path / "two" / "all_results.json").read_text(encoding="utf-8"))
    assert results["training"]["selection"].startswith("best")
    assert 1000 < results["train_runtime"] < 2000


def test_a_run_that_goes_on_to_its_scores_says_what_they_are_of(argv, stopped):
    output = stopped("score", FEW)
    assert main(argv("pawsx", output, f"{FEW.replace('de,zh', 'ru')} {LAST}")) == 0
    results = json.loads((output / "all_results.json").read_text(encoding="utf-8"))
    assert list(results["scores"]) == ["ru"]
    assert [name for name in results["used"] if name.startswith("scored")] == ["scored data in ru"]


def test_folders_of_old_versions_go_on(argv, finished: Path, tmp_path: Path):
    settings = json.loads((finished / SETTINGS_FILE).read_text(encoding="utf-8"))
    check_same_settings(tmp_path, settings)
    write_settings(tmp_path, {name: value for name, value in settings.items() if name != "seed"})
    check_same_settings(tmp_path, settings | {"seed": 99, "an_argument_of_tomorrow": 1})


def test_a_run_that_saved_nothing_begins_anew(argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    output = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "fit", stop)
        assert main(argv("pawsx", output, f"{FEW} --seed 4")) == 130
    assert [path.name for path in output.iterdir()] == [SETTINGS_FILE]
    assert main(argv("pawsx", output, f"{FEW} --seed 5")) == 0
    assert json.loads((output / SETTINGS_FILE).read_text(encoding="utf-8"))["seed"] == 5


@pytest.mark.parametrize(
    ("before", "now", "may_differ", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, (), None),
        ({"a": 1, "b": 2}, {"b": 3, "a": 2}, (), ("b", 2, 3)),
        ({"a": 1, "b": 2}, {"a": 2, "b": 3}, ("a",), ("b", 2, 3)),
        ({"a": [1, 2]}, {"a": (1, 2)}, (), None),
        ({"a": 1}, {"b": 1}, (), None),
    ],
)
def test_the_first_difference(before: dict, now: dict, may_differ: tuple, expected: tuple | None):
    assert first_difference(before, now, may_differ) == expected


def test_one_run_at_a_time_in_a_folder(argv, tmp_path: Path, capsys):
    with alone_in(tmp_path / "out"):
        assert main(argv("pawsx", tmp_path / "out", FEW)) == 2
        assert f"another run is writing to {tmp_path / 'out'}" in capsys.readouterr().err
    assert main(argv("pawsx", tmp_path / "out", FEW)) == 0
    assert not list((tmp_path / "out").glob(".*"))


def test_a_checkpoint_whose_weights_are_cut_is_passed_over(argv, unfinished: Path, tmp_path: Path):
    shutil.copytree(unfinished, tmp_path / "out")
    weights = tmp_path / "out" / "checkpoint-3" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    last = last_checkpoint(tmp_path / "out")
    assert last is not None and last.name == "checkpoint-2"
