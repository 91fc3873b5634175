"""Finished runs of a task file, for tests of kinds whose data they make themselves."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_dlfa.training.__main__ import main as train


def finished_runs(
    task_file: Path, encoder: str, flags: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """folder(more): the folder of a finished run with these flags and more, made once. Training prints nothing."""
    folders: dict[str, Path] = {}
    states = tmp_path_factory.mktemp("states")

    def folder(more: str = "") -> Path:
        if more not in folders:
            output = tmp_path_factory.mktemp("run") / "run"
            argv = ["--task", str(task_file), "--output_dir", str(output), "--model_name_or_path", encoder]
            argv += [*flags.split(), *more.split(), "--states_dir", str(states)]
            with contextlib.redirect_stdout(io.StringIO()):
                assert train(argv) == 0
            folders[more] = output
        return folders[more]

    return folder
