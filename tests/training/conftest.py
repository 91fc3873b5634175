"""Shared by the tests of training: short commands over the tiny encoder and data of the main conftest."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import DefaultFlowCallback

from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.__main__ import main
from tests.training.killed import Runs


# Learns the words of the data in a second or two, on one CPU.
SHORT = (
    "--max_length 16 --learning_rate 5e-3 --pooling mean --per_device_train_batch_size 8 --num_train_epochs 4 "
    "--eval_steps 10 --use_cpu --disable_tqdm true"
)


@pytest.fixture(scope="session")
def argv(tiny_encoder: str, xtreme_folder: Path) -> Callable[..., list[str]]:
    """argv(task, output_dir, flags): a command line; flags come last and win."""

    def build(task: str, output: Path | str, flags: str = "") -> list[str]:
        start = ["--task", task, "--output_dir", str(output)]
        start += ["--model_name_or_path", tiny_encoder, "--data", str(xtreme_folder)]
        return [*start, *SHORT.split(), *flags.split()]

    return build


@pytest.fixture(scope="session")
def finished_run(argv, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """finished_run(task): the output folder of one short run of the task; not to be written to."""
    folders: dict[str, Path] = {}

    def folder(task: str) -> Path:
        if task not in folders:
            output = tmp_path_factory.mktemp("finished") / task
            # A biaffine parser of random words takes longer, and smaller steps.
            flags = "--learning_rate 1e-3 --num_train_epochs 8" if TASKS[task].kind.name == "trees" else ""
            assert main(argv(task, output, flags)) == 0
            folders[task] = output
        return folders[task]

    return folder


@pytest.fixture
def interrupt_at(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[int], None]:
    """interrupt_at(step): the next training is stopped as by Ctrl-C, before anything is saved at that step."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in what runs behind
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))

    def arrange(step: int) -> None:
        original = DefaultFlowCallback.on_step_end

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == step:
                monkeypatch.setattr(DefaultFlowCallback, "on_step_end", original)
                signal.raise_signal(signal.SIGINT)
            return original(self, args, state, control, **kwargs)

        monkeypatch.setattr(DefaultFlowCallback, "on_step_end", on_step_end)

    return arrange


@pytest.fixture(scope="session")
def runs() -> Runs:
    """Commands in processes that can be killed."""
    return Runs()
