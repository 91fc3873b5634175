"""The mean of a run's checkpoints: as averaged by hand, after kills, and what is left behind."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerState

from modeling_dlfa.errors import InputError
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.averaging import Snapshots, points
from modeling_dlfa.training.results import RunResults
from tests.marks import rest_is_slow
from tests.training.killed import Runs, left, seen


@pytest.mark.parametrize(
    ("steps", "count", "expected"),
    [(10, 2, [5, 10]), (10, 5, [2, 4, 6, 8, 10]), (7, 3, [2, 5, 7]), (3, 3, [1, 2, 3]), (100, 3, [33, 67, 100])],
)
def test_points_are_evenly_spaced_and_the_last_is_the_end(steps: int, count: int, expected: list[int]):
    assert points(steps, count) == expected


def test_points_never_fall_together():
    for steps in range(2, 60):
        for count in range(2, steps + 1):
            found = points(steps, count)
            assert len(set(found)) == count and found[0] > 0 and found[-1] == steps


FLAGS = "--max_steps 9 --eval_strategy no --save_strategy steps --save_steps 3 --save_total_limit 9 --keep_checkpoints"


@pytest.mark.parametrize(
    ("task", "flags", "file"),
    rest_is_slow(
        [
            ("panx", "--train all", "model.safetensors"),
            ("pawsx", "--train top:1 --bf16", "model.safetensors"),
            ("uddep", "--train lora:2", "adapter/adapter_model.safetensors"),
            ("panx", "--train fusion", "model.safetensors"),
            ("uddep", '--train fusion --config_overrides {"aif_norm":"batch"}', "model.safetensors"),
        ]
    ),
)
def test_the_result_is_the_mean_of_the_checkpoints(argv, tmp_path: Path, task: str, flags: str, file: str):
    output = tmp_path / "out"
    assert (
        main(argv(task, output, f"{FLAGS} --learning_rate 1e-3 --languages de --average_checkpoints 3 {flags}")) == 0
    )
    found = load_file(output / file)
    steps = [load_file(output / f"checkpoint-{step}" / Path(file).name) for step in (3, 6, 9)]
    assert not all(torch.equal(one, steps[-1][name]) for name, one in found.items() if name in steps[-1])
    averaged = {name for name in found if name in steps[0] and found[name].is_floating_point()}
    assert averaged == set(found) - {name for name in found if "num_batches" in name} - _encoder(found, flags)
    for name in averaged:
        by_hand = torch.stack([step[name].double() for step in steps]).mean(dim=0).float()
        torch.testing.assert_close(found[name], by_hand, rtol=0, atol=1e-7, msg=name)
    assert not (output / "snapshots").exists()
    assert RunResults.load(output).training["selection"] == "mean of 3 checkpoints, updates 3, 6, 9"


def _encoder(weights: dict[str, torch.Tensor], flags: str) -> set[str]:
    """What checkpoints of a run on states do not hold."""
    return {name for name in weights if name.startswith("dlfa.encoder.")} if "fusion" in flags else set()


def test_a_run_that_goes_on_needs_what_came_before(tmp_path: Path):
    state: Any = TrainerState(max_steps=8, global_step=4)
    (tmp_path / "snapshots").mkdir()
    snapshots: Any = Snapshots(4, tmp_path)
    save_file({"weight": torch.ones(2)}, tmp_path / "snapshots" / "step-2.safetensors")
    (tmp_path / "snapshots" / "step-4.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match="lacks what was trained at update 4, which --average_checkpoints 4 needs"):
        snapshots.on_train_begin(None, state, None)
    save_file({"weight": torch.ones(2)}, tmp_path / "snapshots" / "step-4.safetensors")
    snapshots.on_train_begin(None, state, None)
    assert snapshots.steps == [2, 4, 6, 8]


SNAPSHOTS = (
    "--max_steps 12 --eval_strategy no --save_strategy steps --save_steps 3 --languages de "
    "--train top:2 --average_checkpoints 3"
)


@pytest.fixture(scope="module")
def undisturbed(argv, runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run leaves that nobody disturbs."""
    whole = tmp_path_factory.mktemp("undisturbed") / "whole"
    assert runs.run(argv("pawsx", whole, SNAPSHOTS)) == 0, runs.said
    return left(whole)


@pytest.mark.parametrize(
    "pattern", rest_is_slow(["snapshots/step-4*", "snapshots/step-12*", "checkpoint-6/trainer_state.json"])
)
def test_killed_it_leaves_what_it_would_have_left(argv, runs: Runs, undisturbed, tmp_path: Path, pattern: str):
    broken = argv("pawsx", tmp_path / "broken", SNAPSHOTS)
    code = runs.run(broken, seen(tmp_path / "broken", pattern))
    assert code in (-signal.SIGKILL, 0), runs.said
    if code != 0:
        assert runs.run([*broken, "--resume_from_checkpoint", "last"]) == 0, runs.said
    found, expected = left(tmp_path / "broken"), undisturbed
    assert found.keys() == expected.keys()
    assert {name for name in expected if found[name] != expected[name]} == set()
