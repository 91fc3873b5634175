"""Shared by the tests of publishing: finished runs, and a copy that a test may damage."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_dlfa.training.__main__ import main


FLAGS = "--pooling mean --max_length 16 --max_steps 2 --use_cpu --disable_tqdm true"


@pytest.fixture(scope="session")
def finished(
    tiny_encoder: str, xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """finished(task): the output folder of a run of two updates; not to be written to."""
    folders: dict[str, Path] = {}

    def folder(task: str) -> Path:
        if task not in folders:
            output = tmp_path_factory.mktemp("published") / task
            argv = ["--task", task, "--output_dir", str(output), "--model_name_or_path", tiny_encoder]
            assert main([*argv, "--data", str(xtreme_folder), *FLAGS.split()]) == 0
            folders[task] = output
        return folders[task]

    return folder


@pytest.fixture
def run_folder(finished: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of a finished XNLI run."""
    return shutil.copytree(finished("xnli"), tmp_path / "run")
