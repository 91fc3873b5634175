"""Intermediate-task training (X-STILTs, Phang et al. 2020, arXiv 2005.13013): stages before a target task.

A stage is an ordinary run in the training language. Its folder is named by everything that decides its weights, so
that the same stage is trained once and found again.
"""

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from accelerate import PartialState
from filelock import FileLock
from transformers import TrainingArguments

from ..configuration_dlfa import CHOICES
from ..errors import InputError
from ..files import text_hash, write_text
from ..tasks.registry import TASKS, get_task
from ..tasks.task import Task
from .arguments import RunArguments, json_object
from .checks import check_training
from .command_line import CommandLine
from .data import RunData
from .declared import AUTO
from .derived import not_of_a_stage
from .fingerprints import used
from .folder import STAGE_FILE, holds_run
from .model import check_model
from .noted import as_noted, digest
from .regimes import check_regime, get_regime
from .results import RunResults
from .run import run


@dataclass(frozen=True)
class Stage:
    """One intermediate task of a command.

    Attributes:
        command, fusion: what the stage is part of.
        task: what is fine-tuned on.
        changes: the arguments in which the stage differs from the run of the target task.
        settings: everything that decides the weights and can be asked for: arguments, and those of the stages before.
        before: the stage before, whose encoder goes on.
    """

    command: CommandLine
    fusion: str
    task: str
    changes: dict[str, Any]
    settings: dict[str, Any]
    before: "Stage | None" = None

    @cached_property
    def used(self) -> dict[str, Any]:
        """Fingerprints of what the stage reads and starts from, see `fingerprints.used`."""
        arguments, training_arguments = self.arguments(None, "unused")
        found = used(arguments, training_arguments=training_arguments)
        if self.before is not None:
            found |= {"encoder": self.before.name, "tokenizer": self.before.used["tokenizer"]}
        return found

    @property
    def known_as(self) -> dict[str, Any]:
        """What decides the weights, all told: settings, and what is used. Equal ones are the same stage."""
        return {**self.settings, "used": self.used}

    @property
    def name(self) -> str:
        """Folder of the stage: its task and a fingerprint of all that decides its weights."""
        return f"{get_task(self.task).name}-{digest(self.known_as)[:12]}"

    @property
    def text(self) -> str:
        """What its `STAGE_FILE` holds."""
        return json.dumps(as_noted(self.known_as), indent=2) + "\n"

    @property
    def fingerprint(self) -> str:
        """What `fingerprints.of_encoder` says of its folder, once it is there."""
        return text_hash(self.text)

    def arguments(self, start: str | Path | None, output_dir: str | Path) -> tuple[RunArguments, TrainingArguments]:
        """The arguments of the stage's run.

        Args:
            start: folder of the stage before; None for the first, which starts from the encoder.

        Raises:
            InputError: values that contradict each other.
        """
        changes = self.changes if start is None else self.changes | {"model_name_or_path": start}
        run_arguments, training_arguments = self.command.arguments(self.task, self.fusion, output_dir, **changes)
        training_arguments.resume_from_checkpoint = None  # an unfinished stage is trained again
        return self._alone(run_arguments, start), training_arguments

    def run_arguments(self) -> RunArguments:
        """What the stage is, were it the first, without how it is trained."""
        return self._alone(self.command.run_arguments(self.task, self.fusion, **self.changes), None)

    @staticmethod
    def _alone(arguments: RunArguments, start: str | Path | None) -> RunArguments:
        first = {} if start is not None else {"carry_fusion": False}
        return replace(arguments, intermediate_tasks=None, **first)


def plan_stages(command: CommandLine, task: str | Task, fusion: str) -> list[Stage]:
    """The stages before a run of the command, in their order.

    A stage takes the arguments of the command over the recipe of its own task, and those of
    `--intermediate_arguments` over both. It is scored on development data of the training language alone. A `fusion`
    there, such as "none", makes one stage of several models' stages: they go on from the same encoder.

    Raises:
        InputError: `--intermediate_arguments` is not a JSON object of arguments that a stage can have, or names a
            fusion that cannot be carried over as it is asked.
    """
    target = command.run_arguments(task, fusion)
    given = json_object("intermediate_arguments", target.intermediate_arguments)
    tasks = {*TASKS, *target.stage_tasks}
    common = {name: value for name, value in given.items() if name not in tasks}
    by_task = {name: value for name, value in given.items() if name in tasks}
    for name, own in by_task.items():
        if not isinstance(own, dict):
            raise InputError(f"--intermediate_arguments: {name}: expected an object of arguments, found {own!r}")
    for own in (common, *by_task.values()):
        if refused := sorted(not_of_a_stage() & own.keys()):
            raise InputError(f"--intermediate_arguments: {refused[0]} is not an argument of a stage")
    fusion_of_stages = command.fusion_of_stages(task, fusion)
    stages: list[Stage] = []
    for stage_task in target.stage_tasks:
        # What a command says of thresholds is meant for its own task.
        changes = {
            "languages": target.train_language,
            "eval_split": "validation",
            "no_answer_threshold": AUTO,
        } | common
        changes |= by_task.get(stage_task, {})
        fusion = changes.pop("fusion", fusion_of_stages)
        if not isinstance(fusion, str) or fusion not in CHOICES["fusion"]:
            known = ", ".join(CHOICES["fusion"])
            raise InputError(f"--intermediate_arguments: fusion {fusion!r}: expected one of {known}")
        if target.carry_fusion and fusion != fusion_of_stages:
            raise InputError(
                f"--intermediate_arguments: fusion {fusion!r} --carry_fusion: the run would go on with "
                f"{fusion_of_stages!r}"
            )
        settings = command.settings(stage_task, fusion, of_stage=True, **changes)
        before = stages[-1] if stages else None
        if before is not None:
            settings["after"] = before.settings
        else:
            settings.pop("carry_fusion", None)
        stages.append(Stage(command, fusion, stage_task, changes, settings, before))
    return stages


def stages_folder(arguments: RunArguments, root: Path) -> Path:
    """Where the stages of a command with this output folder are kept."""
    return Path(arguments.stages_dir) if arguments.stages_dir else root.parent / "stages"


def check_stages(stages: Sequence[Stage]) -> None:
    """Look at the arguments and models of stages before anything is run.

    Raises:
        InputError: arguments that contradict each other, a fusion that does not fit, or a stage that changes nothing
            that goes on.
    """
    for stage in stages:
        arguments, training_arguments = stage.arguments(None, "unused")
        carries = stage.command.run_arguments(stage.task, stage.fusion).carry_fusion
        if get_regime(arguments.train).on_states and not carries:
            raise InputError(
                f"--intermediate_tasks {stage.task}: a stage of --train {arguments.train} leaves the encoder as it "
                'is, nothing would go on; give --carry_fusion, or --intermediate_arguments \'{"train": "all"}\''
            )
        check_training(get_task(stage.task), training_arguments)
        check_regime(arguments, check_model(arguments), training_arguments)


def run_chain(
    stages: Sequence[Stage],
    folder: Path,
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    data: RunData | None = None,
) -> RunResults:
    """Run the stages that are not there yet, then the target task on what the last of them left.

    Args:
        stages: what `plan_stages` returned; with none this is `run`.
        folder: where stages are kept.
        arguments, training_arguments, data: of the target task, as for `run`.

    Raises:
        InputError: as `run`.
    """
    start: Path | None = None
    for stage in stages:
        start = _run_stage(stage, start, folder, training_arguments.disable_tqdm)
    if start is not None:
        arguments = replace(arguments, model_name_or_path=str(start), model_revision=None, intermediate_tasks=None)
    return run(arguments, training_arguments, data)


def _run_stage(stage: Stage, start: Path | None, root: Path, disable_tqdm: bool | None) -> Path:
    """The folder of a stage, trained unless it is there."""
    folder, partial = root / stage.name, root / f"{stage.name}.partial"
    arguments, training_arguments = stage.arguments(start, partial)
    training_arguments.disable_tqdm = disable_tqdm
    state = PartialState()
    root.mkdir(parents=True, exist_ok=True)
    # One process of the run holds the lock against other runs; its fellows wait for it below.
    with FileLock(f"{folder}.lock") if state.is_main_process else nullcontext():
        if state.is_main_process and not holds_run(folder, STAGE_FILE, stage.known_as):
            for leftover in (partial, folder):
                shutil.rmtree(leftover, ignore_errors=True)
        state.wait_for_everyone()
        if not holds_run(folder, STAGE_FILE, stage.known_as):
            run(arguments, training_arguments)
            if state.is_main_process:
                write_text(partial / STAGE_FILE, stage.text)
                partial.rename(folder)
        state.wait_for_everyone()
    return folder
