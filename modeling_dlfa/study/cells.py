"""The runs of a study: what is compared, and each cell of its grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from ..configuration_dlfa import DLFAConfig
from ..tasks.registry import get_task
from ..training.arguments import RunArguments, fused_layers
from ..training.checks import check_training
from ..training.command_line import CommandLine, as_argv
from ..training.data import data_fingerprints
from ..training.fingerprints import ENCODER, used_here
from ..training.model import check_model
from ..training.noted import digest
from ..training.regimes import check_regime
from ..training.stages import Stage, check_stages, plan_stages


@dataclass(frozen=True)
class Model:
    """One of the compared models.

    Attributes:
        name: "baseline", a name of the study's `models`, or for a list of layers that name with the layer: "dlfa-k8",
            "dlfa-k4+8" where several are fused.
        group: the name in `models`; a group with several layers is a curve over them.
        arguments: of `run_xtreme.py`, on top of those of the study and the task.
        condition: the name in the study's `conditions`; None for the model without any.
        base: name of the same model without condition, its own where it has none.
        tuned_as: the group whose tuning it is run with.
    """

    name: str
    group: str
    arguments: Mapping[str, Any]
    condition: str | None = None
    base: str = ""
    tuned_as: str = ""

    def __post_init__(self):
        object.__setattr__(self, "base", self.base or self.name)
        object.__setattr__(self, "tuned_as", self.tuned_as or self.group)

    def under(self, condition: str, arguments: Mapping[str, Any]) -> "Model":
        """The model under a condition: "dlfa-k8+uddep"."""
        name = f"{self.name}+{condition}"
        return Model(name, name, merged(self.arguments, arguments), condition, self.name, self.tuned_as)

    @property
    def fusion(self) -> str:
        return self.arguments.get("fusion", "aif")

    @property
    def fusion_layer(self) -> int | list[int] | str | None:
        """What was asked for, by `training.arguments.fused_layers`; None where nothing was."""
        return fused_layers(self.arguments.get("fusion_layer"))

    @property
    def layers(self) -> list[int]:
        """The layers that are fused, as far as they are known: for an order of models."""
        layers = self.fusion_layer
        return layers if isinstance(layers, list) else [layers] if isinstance(layers, int) else []

    @property
    def place(self) -> int | None:
        """Where the model stands on an axis of layers; None where none, several, or one yet to be found is fused."""
        return self.fusion_layer if isinstance(self.fusion_layer, int) else None


@dataclass(frozen=True)
class Cell:
    """One run of the grid.

    Attributes:
        task: name of the task; how the study names it is in the arguments.
        seed: as in `run_xtreme.py`.
        encoder: short name of the encoder.
        model: what is compared.
        arguments: all arguments of the run but the output folder.
        source: the language that it is trained in, in a study of several; else None.
    """

    task: str
    encoder: str
    model: Model
    seed: int
    arguments: Mapping[str, Any]
    source: str | None = None

    @property
    def name(self) -> str:
        """Path of the cell inside a study's folders: "udpos/embedded/dlfa-k8-seed1", its source before the model."""
        return "/".join([*self.place, f"{self.model.name}-seed{self.seed}"])

    @property
    def place(self) -> tuple[str, ...]:
        """Where the cell's models stand beside one another: task, encoder and source, as far as there is one."""
        return (self.task, self.encoder, *([] if self.source is None else [self.source]))

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What is asked for, as far as it decides the result, parsed: as a stage's, see `CommandLine.settings`."""
        return self._command.settings(self._task, self.model.fusion)

    @cached_property
    def used(self) -> dict[str, Any]:
        """Fingerprints of what the run and its stages read and start from, as `training.fingerprints.used`.

        Empty where data or encoder are not here, as where another machine's records are reported.
        """
        found = used_here(self._command.run_arguments(self._task, self.model.fusion))
        stages = self.stages()
        if stages:  # the run starts from what they make of the encoder, which is named with them
            found = {name: value for name, value in found.items() if name not in ENCODER}
        for stage in stages:
            of_stage = used_here(stage.run_arguments())
            found |= {f"{name} of {stage.task}": value for name, value in of_stage.items()}
        return found

    @property
    def known_as(self) -> dict[str, Any]:
        """What decides the result, all told: settings, and what is used. Equal ones are the same run."""
        return {**self.settings, "used": self.used}

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the result: equal keys are the same run, by whatever name."""
        return digest(self.known_as)

    @property
    def _task(self) -> str:
        return self.arguments.get("task", self.task)

    def run_arguments(self, output_dir: str | Path) -> tuple[RunArguments, TrainingArguments]:
        """The arguments of the run, as the command line would give them.

        Raises:
            InputError: an unknown argument or a value that does not fit.
        """
        return self._command.arguments(self._task, self.model.fusion, output_dir)

    def stages(self) -> list[Stage]:
        """The stages of intermediate tasks before the run; most runs have none.

        Raises:
            InputError: arguments that a stage cannot have.
        """
        return plan_stages(self._command, self._task, self.model.fusion)

    def check(self) -> DLFAConfig:
        """Look at arguments and encoder, of the run and of its stages, before anything is run.

        Returns:
            the configuration of the model.

        Raises:
            InputError: what is wrong with them.
        """
        arguments, training_arguments = self.run_arguments("unused")
        task = get_task(arguments.task)
        if not task.kind.trains:
            raise task.kind.cannot(task, "a study, which compares what was trained,")
        check_training(task, training_arguments)
        config = check_model(arguments)
        check_regime(arguments, config, training_arguments)
        check_stages(self.stages())
        return config

    def check_data(self) -> None:
        """Look for the data of the run and of its stages.

        Raises:
            InputError: what is missing.
        """
        for arguments in (self.run_arguments("unused")[0], *(stage.run_arguments() for stage in self.stages())):
            data_fingerprints(arguments)

    @cached_property
    def _command(self) -> CommandLine:
        return CommandLine(as_argv(self.arguments))


def merged(*arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments over one another, the last counts. Those of intermediate tasks are mappings, and merged as well."""
    name = "intermediate_arguments"
    both = {key: value for some in arguments for key, value in (some.get(name) or {}).items()}
    together = {key: value for some in arguments for key, value in some.items()}
    return together | ({name: both} if both else {})
