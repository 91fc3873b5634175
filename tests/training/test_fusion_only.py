"""`--train fusion`: the encoder stays as it is, its states are kept, and the run leaves what every run leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modeling_dlfa.__main__ import main as dlfa
from modeling_dlfa.states import StatesCache
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.regimes import REGIMES, get_regime
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.trial import development_score


FUSION = "--train fusion --learning_rate 1e-2 --num_train_epochs 3"


@pytest.fixture(scope="module")
def frozen_run(argv, tmp_path_factory):
    """frozen_run(task, flags): (folder of the run, folder of the states), made once."""
    made: dict[tuple[str, str], tuple[Path, Path]] = {}

    def run(task: str, flags: str = "") -> tuple[Path, Path]:
        if (task, flags) not in made:
            root = tmp_path_factory.mktemp("frozen")
            made[task, flags] = root / task, root / "states"
            assert main(argv(task, root / task, f"{FUSION} --states_dir {root / 'states'} {flags}")) == 0
        return made[task, flags]

    return run


@pytest.mark.crossed("flags", "task")
@pytest.mark.parametrize("flags", ["", "--fusion none --input_norm standard", "--fusion mix_all"])
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_only_fusion_and_head_are_trained(frozen_run, tiny_encoder, task, flags):
    output, _ = frozen_run(task, flags)
    weights, before = load_file(output / "model.safetensors"), load_file(Path(tiny_encoder) / "model.safetensors")
    of_encoder = {name: tensor for name, tensor in weights.items() if name.startswith("dlfa.encoder.")}
    assert len(of_encoder) == len(before)
    for name, tensor in of_encoder.items():
        assert torch.equal(tensor, before[name.removeprefix("dlfa.encoder.")]), name
    model = TASKS[task].kind.model_class.from_pretrained(output)
    results = RunResults.load(output)
    assert results.training["train"] == "fusion" and results.fusion == model.config.fusion


@pytest.mark.crossed("flags", "task")
@pytest.mark.parametrize("flags", ["", "--fusion none --input_norm standard"])
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_scores_are_those_of_the_saved_model(frozen_run, tmp_path: Path, task, flags):
    """What was scored on kept states is scored again by the whole model."""
    output, _ = frozen_run(task, flags)
    assert dlfa(["score", str(output), "--output_dir", str(tmp_path / "again"), "--use_cpu"]) == 0
    again, before = RunResults.load(tmp_path / "again"), RunResults.load(output)
    assert again.scores == pytest.approx(before.scores, abs=1.5)  # 16 bits may turn a close answer, one of ninety


def test_a_second_run_computes_no_states(frozen_run, argv, tmp_path: Path, monkeypatch):
    _, states = frozen_run("panx")
    before = {path: path.stat().st_mtime_ns for path in states.rglob("*.f16")}
    monkeypatch.setattr("modeling_dlfa.states._write", None)  # must not be called
    flags = f"{FUSION} --states_dir {states} --seed 7"
    assert main(argv("panx", tmp_path / "out", flags)) == 0
    assert {path: path.stat().st_mtime_ns for path in states.rglob("*.f16")} == before
    assert {layer for _, layers in StatesCache(states).sets() for layer in layers} == {2, 3}


def test_layers_may_be_kept_for_later_runs(argv, tmp_path: Path):
    flags = f"{FUSION} --states_dir {tmp_path / 'states'} --states_layers all --languages de"
    assert main(argv("panx", tmp_path / "out", flags)) == 0
    assert [layers for _, layers in StatesCache(tmp_path / "states").sets()] == [[0, 1, 2, 3]] * 3


def test_a_run_goes_on_to_the_same_result(argv, tmp_path: Path):
    flags = (
        f"{FUSION} --states_dir {tmp_path / 'states'} --languages de --eval_strategy no --load_best_model_at_end false"
    )
    saving = f"{flags} --save_strategy steps --save_steps 7 --save_total_limit 9 --keep_checkpoints"
    assert main(argv("panx", tmp_path / "whole", saving)) == 0
    checkpoint = tmp_path / "whole" / "checkpoint-7"
    assert main(argv("panx", tmp_path / "rest", f"{saving} --resume_from_checkpoint {checkpoint}")) == 0
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "rest"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    # It was trained, but not scored: scoring reads the kept states too.
    results = tmp_path / "rest" / "all_results.json"
    values = json.loads(results.read_text())
    results.unlink()
    summary = {name: values[name] for name in values if name in RunResults.__dataclass_fields__}
    (tmp_path / "rest" / "trained.json").write_text(json.dumps(_of_training(summary)))
    assert main(argv("panx", tmp_path / "rest", f"{saving} --resume_from_checkpoint last")) == 0
    assert RunResults.load(results).scores == values["scores"]


def _of_training(values: dict[str, Any]) -> dict[str, Any]:
    names = ("encoder", "fusion", "fusion_layer", "model_config", "seed", "train_language", "train_samples")
    names += ("train_runtime", "training", "data", "versions", "scouting", "intermediate", "task_definition", "used")
    return {name: values[name] for name in names}


def test_statistics_are_those_of_the_training_rows(frozen_run):
    output, states = frozen_run("panx", "--fusion none --input_norm standard")
    weights = load_file(output / "model.safetensors")
    (train,) = [one for one, _ in StatesCache(states).sets() if "train" in one.name]
    assert weights["dlfa.input_norm.mean"].shape == (1, train.width)
    assert weights["dlfa.input_norm.mean"].abs().max() > 0.01
    assert not torch.allclose(weights["dlfa.input_norm.std"], torch.ones(1, train.width))


def test_the_learning_rate_is_one_that_heads_learn_with():
    command = CommandLine(["--train", "fusion", "--task", "panx", "--data", "hub"])
    _, training = command.arguments("panx", "aif", "out")
    assert training.learning_rate == 5e-3
    run, training = CommandLine(["--train", "fusion"]).arguments("udpos", "aif", "out")
    assert (training.learning_rate, run.head_learning_rate, run.freeze_embeddings) == (5e-3, None, False)
    run, training = CommandLine(["--train", "fusion", "--learning_rate", "0.1"]).arguments("udpos", "aif", "out")
    assert training.learning_rate == 0.1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--train fusions", "--train fusions: expected one of all, "),
        ("--train fusion:3", "--train fusion:3: expected one of all, "),
        ("--train top", "--train top: expected one of"),
        ("--train top:0", "--train top:0: expected one of"),
        ("--train top:x", "--train top:x: expected one of"),
        ("--train top:3", "--train top:3: this bert encoder has 3 layers, expected fewer"),
        ("--input_norm standard", "--input_norm standard --train all: "),
        ("--train top:1 --input_norm standard", "--input_norm standard --train top:1: "),
        ("--train fusion --states_layers 4", "--states_layers 4: expected numbers of layers from 0 to 3, or 'all'"),
        ("--train fusion --states_layers x", "--states_layers x: expected numbers of layers from 0 to 3, or 'all'"),
        ("--train fusion --states_limit 0", "give a higher --states_limit"),
        ("--train fusion --states_limit -1", "--states_limit -1: expected a number of at least 0"),
        ("--train fusion --intermediate_tasks uddep", "--intermediate_tasks uddep: a stage of --train fusion leaves"),
    ],
)
def test_mistakes_are_one_line(argv, tmp_path: Path, capsys, flags, message):
    output = tmp_path / "out"
    assert main(argv("panx", output, f"--states_dir {tmp_path / 'states'} {flags}")) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (output / "model.safetensors").exists()


def test_every_regime_says_what_it_is():
    for name, regime in REGIMES.items():
        assert regime.__doc__ and name in RunArguments.__dataclass_fields__["train"].metadata["help"]
    assert get_regime("top:4").size == 4 and get_regime("all").size is None


def test_a_trial_leaves_nothing_and_opens_no_other_language(argv, tmp_path: Path, opened_files):
    command = CommandLine(argv("panx", tmp_path / "out", f"{FUSION} --states_dir {tmp_path / 'states'}"))
    arguments, training_arguments = command.arguments("panx", "aif", tmp_path / "out")
    assert 0 < development_score(arguments, training_arguments) <= 100
    assert not list((tmp_path / "out").rglob("*"))
    read = {Path(name).name for name in opened_files if "/panx/" in name}
    assert read == {"train-en.tsv", "dev-en.tsv"}


def test_the_command_shows_and_clears(frozen_run, tmp_path: Path, capsys):
    flags = ["--states_dir", str(tmp_path / "nothing")]
    assert dlfa(["cache", *flags]) == 0 and "0.00 GB in" in capsys.readouterr().out
    _, states = frozen_run("panx", "--fusion mix_all")
    flags = ["--states_dir", str(states)]
    first = StatesCache(states).sets()[0][0]
    assert dlfa(["cache", *flags]) == 0
    shown = capsys.readouterr().out
    assert first.key in shown and "0, 1, 2, 3" in shown
    assert dlfa(["cache", "--clear", "unknown", *flags]) == 2
    assert "--clear unknown: no such set in" in capsys.readouterr().err
    assert dlfa(["cache", "--clear", first.key, *flags]) == 0
    assert first.key not in {one.key for one, _ in StatesCache(states).sets()}
    assert dlfa(["cache", "--clear", *flags]) == 0
    assert not list(states.rglob("*.f16"))
