"""The mean of what was trained at several points of one run: `--average_checkpoints N`.

Averaging the checkpoints of a run makes its zero-shot transfer steadier (Schmidt et al. 2023, arXiv 2305.16834). That
the points are evenly spaced, the end among them, is theirs; that running statistics of norms are averaged with the
weights is our choice.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from transformers import TrainerCallback

from ..errors import InputError
from ..files import write_bytes


FOLDER = "snapshots"  # in that of the run, while it lasts


class Snapshots(TrainerCallback):
    """Keeps what is trained at evenly spaced points of a training on disk, and makes the mean of them.

    A snapshot is written before the Trainer's checkpoint of the same step: a run that goes on from a checkpoint has
    all that came before it.

    Args:
        count: how many.
        folder: the output folder of the run.
    """

    def __init__(self, count: int, folder: Path):
        self.count, self.folder = count, folder / FOLDER
        self.steps: list[int] = []

    def on_train_begin(self, args, state, control, **kwargs):
        if self.count > state.max_steps:
            raise InputError(f"--average_checkpoints {self.count}: this training has {state.max_steps} updates alone")
        self.steps = points(state.max_steps, self.count)
        for step in self.steps:
            if step <= state.global_step and not self._whole(step):
                raise InputError(
                    f"{self.folder} lacks what was trained at update {step}, which --average_checkpoints "
                    f"{self.count} needs: start the run again in another --output_dir"
                )

    def on_step_end(self, args, state, control, model: nn.Module | None = None, **kwargs):
        if state.global_step in self.steps and state.is_world_process_zero:
            assert model is not None
            weights = {name: tensor.detach().cpu().contiguous() for name, tensor in trained(model).items()}
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._file(state.global_step), save(weights))

    @torch.no_grad()
    def average(self, model: nn.Module) -> None:
        """Put the mean of all snapshots into a model, one tensor after the other."""
        for name, tensor in trained(model).items():
            total = torch.zeros(tensor.shape, dtype=torch.float64)
            for step in self.steps:
                with safe_open(self._file(step), "pt") as weights:
                    total += weights.get_tensor(name)
            tensor.copy_(total / len(self.steps))

    def __str__(self) -> str:
        return f"mean of {len(self.steps)} checkpoints, updates {', '.join(map(str, self.steps))}"

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step}.safetensors"

    def _whole(self, step: int) -> bool:
        try:
            with safe_open(self._file(step), "pt"):
                return True
        except (OSError, SafetensorError):
            return False


def points(steps: int, count: int) -> list[int]:
    """`count` evenly spaced steps of a training, its last among them."""
    return [round(steps * place / count) for place in range(1, count + 1)]


def trained(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a model that are trained, and all running statistics, by name."""
    found: dict[str, Any] = {name: one for name, one in model.named_parameters() if one.requires_grad}
    return found | {name: one for name, one in model.named_buffers() if name.endswith(("running_mean", "running_var"))}


def remove_snapshots(output: Path) -> None:
    """Delete the snapshots in the folder of a run."""
    shutil.rmtree(output / FOLDER, ignore_errors=True)
