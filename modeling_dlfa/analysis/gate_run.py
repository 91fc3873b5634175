"""A finished run with a gate, what it is scored on, its gate held fast, and its states kept meanwhile."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from ..errors import InputError, one_line
from ..modeling_dlfa import AIF, DLFAPreTrainedModel, states_read
from ..tasks.task import Task
from ..training.data import EvalSet, RunData, prepare
from ..training.model import has_sharing_gate, open_finished
from ..training.results import RunResults
from ..training.run import finished_run
from ..training.score import score_command
from ..training.scoring import predictions
from ..training.trainer import DLFATrainer, quiet_trainer


@dataclass(frozen=True)
class GatedRun:
    """A finished run whose gate can be looked at.

    Attributes:
        folder: of the run.
        results: what it has left.
        model: with its head, in evaluation mode.
        data: what it is scored on, encoded.
        trainer: scores it.
    """

    folder: Path
    results: RunResults
    model: DLFAPreTrainedModel
    data: RunData
    trainer: DLFATrainer

    @property
    def task(self) -> Task:
        return self.data.task

    @property
    def fusion(self) -> AIF:
        base: Any = self.model.base_model
        return base.fusion

    @property
    def sets(self) -> dict[str, EvalSet]:
        """Language -> what is scored."""
        return self.data.evaluation

    def predicted(self, language: str, gates: Mapping[str, float | torch.Tensor | None]) -> dict[str, list]:
        """Answers in a language by gate, in the shape of `Kind.references`, by the way that every run is scored.

        The encoder reads the rows once, whatever the number of gates.

        Args:
            gates: name -> w at every token, as for `held`; None for the gate as it was learnt.
        """
        found, one = {}, {language: self.sets[language]}
        with encoder_remembers(self.model):
            for name, gate in gates.items():
                with nullcontext() if gate is None else held(self.fusion, gate):
                    found[name] = predictions(self.trainer, one)[language]
        return found


def open_gated(
    folder: str, data: str | None, languages: str | None, split: str | None, max_samples: int | None, output: str
) -> GatedRun:
    """Open a finished run and what it is to be scored on.

    Args:
        data, languages, split, max_samples: as `--data`, `--languages`, `--eval_split` and `--max_eval_samples` of
            `dlfa score`; None for what the run was scored on.
        output: of the analysis; nothing is written there.

    Raises:
        InputError: there is no finished run, its fusion has no gate that shares between two layers, or the data cannot
            be used.
    """
    results = finished_run(Path(folder))
    given = {"data": data, "languages": languages, "max_eval_samples": max_samples}
    command = score_command(folder, **given, eval_split=split or results.eval_split, output_dir=output)
    arguments, training_arguments = command.arguments(command.tasks[0], command.fusions[-1], output)
    training_arguments.disable_tqdm = True
    task = results.of_task
    if not task.kind.trains:
        raise task.kind.cannot(task, "a gate that was learnt")
    model = open_finished(Path(folder), task)
    if not has_sharing_gate(model):
        raise InputError(
            f"{folder}: the fusion {results.fusion} has no gate that shares between the last layer and a lower one: "
            "expected a run of the fusion aif, with aif_output 'gate'"
        )
    loaded = prepare(arguments, training=False)
    trainer = quiet_trainer(model, arguments, training_arguments, loaded, keep=task.kind.keep)
    return GatedRun(Path(folder), results, model.eval(), loaded, trainer)


@contextmanager
def held(fusion: AIF, gate: float | torch.Tensor) -> Iterator[None]:
    """Hold a gate fast: z = w x + (1 - w) y with the same w at every token.

    Args:
        gate: w, in [0, 1]; for all channels, or one for each (E,).
    """

    def instead(module: AIF, inputs: tuple, keywords: Mapping[str, Any], output: Any) -> Any:
        x, y = inputs[:2]
        w = torch.as_tensor(gate, dtype=x.dtype, device=x.device).expand_as(x)
        z = torch.lerp(y, x, w)
        return (z, w) if isinstance(output, tuple) else z

    hook = fusion.register_forward_hook(instead, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


class Remembering(nn.Module):
    """Stands where a model has its encoder: a batch that it has read before is answered from memory.

    Args:
        encoder: reads the others.
        layers: indices into its `hidden_states` of those that are kept, beside the last one.
    """

    def __init__(self, encoder: nn.Module, layers: Collection[int]):
        super().__init__()
        self.encoder, self.layers = encoder, set(layers)
        self.known: dict[tuple, BaseModelOutput] = {}

    def forward(self, **inputs: Any) -> BaseModelOutput:
        """The encoder's last state, and of its `hidden_states` those that are kept, None in place of the others."""
        key = tuple(
            (name, value.shape, value.cpu().numpy().tobytes())
            if isinstance(value, torch.Tensor)
            else (name, str(value))
            for name, value in inputs.items()
        )
        if key not in self.known:
            read = self.encoder(**inputs)
            states = tuple(one if k in self.layers else None for k, one in enumerate(read.hidden_states or ()))
            self.known[key] = BaseModelOutput(read.last_hidden_state, states)  # pyright: ignore[reportArgumentType]
        return self.known[key]


@contextmanager
def encoder_remembers(model: DLFAPreTrainedModel) -> Iterator[None]:
    """Within it the encoder reads equal batches once. Their states, of the layers that the fusion reads, are kept."""
    base: Any = model.base_model
    encoder = base.encoder
    base.encoder = Remembering(encoder, states_read(base.config))
    try:
        yield
    finally:
        base.encoder = encoder


# ---------------------------------------------------------------------------------------------------------------------
# Over training
# ---------------------------------------------------------------------------------------------------------------------


def checkpoints(folder: Path) -> dict[int, Path]:
    """Step -> weights of a checkpoint that the run has kept, in order; LoRA's, which are no model, are left out."""
    found = {}
    for path in folder.glob("checkpoint-*"):
        if (step := re.fullmatch(r"checkpoint-(\d+)", path.name)) and (path / WEIGHTS).is_file():
            found[int(step[1])] = path / WEIGHTS
    return dict(sorted(found.items()))


WEIGHTS = "model.safetensors"


@contextmanager
def weights_of(model: DLFAPreTrainedModel, path: Path) -> Iterator[None]:
    """The model with the weights of a checkpoint, which may lack those of an encoder that is left as it is.

    Raises:
        InputError: it cannot be read, or holds other weights.
    """
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read: {one_line(error)}") from error
    own = model.state_dict()
    fits = state.keys() <= own.keys() and all(value.shape == own[name].shape for name, value in state.items())
    fusion = f"{model.base_model_prefix}.fusion."
    if not fits or not {name for name in own if name.startswith(fusion)} <= state.keys():
        raise InputError(f"{path}: expected weights of this model with its fusion, found others")
    before = {name: own[name].clone() for name in state}
    model.load_state_dict(state, strict=False)
    try:
        yield
    finally:
        model.load_state_dict(before, strict=False)
