"""Runs of kinds that train nothing: the fusion that they have, what they refuse, and how they are scored.

The model is the encoder with a fusion that has nothing to learn, or a finished run's encoder with its own fusion.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from tqdm.auto import tqdm
from transformers import TrainingArguments

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..modeling_dlfa import FUSIONS, INPUT_NORMS
from ..tasks.kinds.untrained import Found
from ..tasks.reading import Reader
from ..tasks.registry import get_task
from ..tasks.task import Task
from ..vectors import ALONE, Shares
from .arguments import AUTO_LAYER, RunArguments, fused_layers, overridable
from .data import RunData
from .declared import told
from .derived import deciding
from .model import is_dlfa, open_config
from .regime import Regime
from .regimes import autocast_type, get_regime
from .trainer import DLFATrainer
from .trainer_arguments import trainer_fields


# Beside tasks that train nothing, what says how a model that is trained fuses is meant for the others.
OF_TRAINED = ("fusion_layer", "pooling", "input_norm", "config_overrides", "carry_fusion")
OF_COMPARED = ("prefix",)  # meant for tasks that compare sentences alone
OF_SETTLED = ("no_answer_threshold",)  # for those whose questions may lack an answer

# Fields of `TrainingArguments` that decide results, and do where nothing is trained.
HONOURED = frozenset(("seed", "full_determinism", "use_cpu", "bf16", "fp16", "tf32", "ddp_backend"))
FULL_EVAL = "_full_eval"

PART = 2**26
"""Bytes that processes exchange at once (our choice)."""


def meant_for_others(task: Task, tasks: Sequence[str | Task]) -> tuple[str, ...]:
    """Names of arguments that one run of several, or a stage, does not take, since another task of the command does.

    Args:
        tasks: of the command.
    """
    asked = [get_task(one) for one in tasks]
    of_trained = OF_TRAINED if not task.kind.trains and any(one.kind.trains for one in asked) else ()
    of_compared = OF_COMPARED if not task.kind.compares and any(one.kind.compares for one in asked) else ()
    return of_trained + of_compared + (idle_here(task) if any(one.kind.settles(one) for one in asked) else ())


def idle_here(task: Task) -> tuple[str, ...]:
    """Names of arguments that decide nothing of a run of a task, and are no part of what sets it apart."""
    return () if task.kind.settles(task) else OF_SETTLED


def default_fusion(task: Task, values: Mapping[str, Any]) -> str:
    """The fusion of a run that names none: the kind's, or that of the finished run it starts from.

    Args:
        values: all arguments of the command, by name.
    """
    if not task.kind.trains and not values["intermediate_tasks"]:
        start = open_config(values["model_name_or_path"], values["model_revision"])
        if is_dlfa(start):
            return start.fusion
    return task.kind.fusion


def carried(task: Task, values: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """Defaults of arguments where nothing is trained: a finished run whose fusion is asked for keeps it as it is.

    A fusion without weights can be had of another layer.

    Args:
        values: all arguments of the run, by name.
        given: names of those that were given.

    Raises:
        InputError: another layer or norm was given than the one whose weights are there.
    """
    if task.kind.trains or values["intermediate_tasks"]:
        return {}
    start: Any = open_config(values["model_name_or_path"], values["model_revision"])
    if not is_dlfa(start) or start.fusion != values["fusion"] or start.fusion == start.input_norm == "none":
        return {}
    layers = start.fusion_layer
    free = "fusion_layer" in given and not _with_weights(start)
    asked = {"fusion_layer": fused_layers(values["fusion_layer"]), "input_norm": values["input_norm"]}
    for name, value in asked.items():
        if name in given and value != getattr(start, name) and not (free and name == "fusion_layer"):
            raise InputError(
                f"--{name} {told(value)}: {values['model_name_or_path']} has {name} {getattr(start, name)}, and "
                f"{task.name} trains nothing: leave it out"
            )
    return {
        "carry_fusion": not free,
        "fusion_layer": ",".join(map(str, layers)) if isinstance(layers, list) else layers,
        "input_norm": start.input_norm,
        "config_overrides": json.dumps({name: getattr(start, name) for name in overridable()}),
    }


def regime_of(task: Task, arguments: RunArguments) -> Regime:
    """What is trained: what the run says, or nothing, which is the regime that leaves everything as it is."""
    return get_regime(arguments.train) if task.kind.trains else Regime()


def check_given_untrained(task: Task, given: Collection[str], staged: bool = False) -> None:
    """Refuse arguments of a training where there is none.

    Args:
        given: names of those that were given.
        staged: whether stages come before, which are trained; then what is taken for one of the vectors is refused.

    Raises:
        InputError: naming the first.
    """
    if task.kind.trains:
        return
    of_training = {*trainer_fields(decides=True), "max_train_samples", "shuffle_labels", "train_half"} - HONOURED
    of_training |= {name for name in deciding("training") if name not in deciding("data", "evaluation", "model")}
    of_training |= set() if task.kind.tunes else {"max_dev_samples"}
    idle = sorted(name for name in of_training.intersection(given) if name.endswith(FULL_EVAL) or not staged)
    if idle and idle[0].endswith(FULL_EVAL):
        instead = idle[0].removesuffix(FULL_EVAL)
        for_stages = "; for stages alone there is --intermediate_arguments" if staged else ""
        raise InputError(
            f"--{idle[0]}: {task.name} trains nothing, its vectors are made in half precision by --{instead}"
            f"{for_stages}"
        )
    if idle:
        raise InputError(f"--{idle[0]}: {task.name} trains nothing, only what comes before with --intermediate_tasks")


def check_untrained(task: Task, arguments: RunArguments, config: DLFAConfig) -> None:
    """Refuse a fusion that would have to learn, where nothing is trained.

    Raises:
        InputError: with what can be had; or a layer is to be scouted for.
    """
    if task.kind.trains:
        return
    if arguments.fusion_layer == AUTO_LAYER:
        task.kind.check_layer_logits(task)
    if arguments.carry_fusion:
        return
    for name in _with_weights(config):
        raise InputError(
            f"{name}: {task.name} trains nothing, and what is new in it would have learnt nothing: leave it out, or "
            "give --model_name_or_path a finished run that has it"
        )


def _with_weights(config: DLFAConfig) -> list[str]:
    """Of fusion and norm those that have something to learn, as arguments."""
    parts = {f"--fusion {config.fusion}": FUSIONS[config.fusion]}
    if config.input_norm != "none":
        parts[f"--input_norm {config.input_norm}"] = INPUT_NORMS[config.input_norm]
    with torch.device("meta"):
        return [name for name, part in parts.items() if part(config).state_dict()]


def shares_of(arguments: TrainingArguments) -> Shares:
    """This process's share of what all processes of a run do together."""
    if arguments.world_size == 1:
        return ALONE

    def add_up(array: np.ndarray) -> None:
        """By their bytes, so that no number is rounded."""
        for part in torch.from_numpy(array.reshape(-1).view(np.uint8)).split(PART):
            there = part.to(arguments.device)
            torch.distributed.all_reduce(there)
            part.copy_(there)

    return Shares(arguments.process_index, arguments.world_size, add_up)


def search(trainer: DLFATrainer, data: RunData) -> Found:
    """What the trainer's model finds in every language; of several processes each makes its share of the vectors."""
    arguments: TrainingArguments = trainer.args
    model: Any = trainer.model
    sets = [*data.evaluation.values(), *data.tuning.values()]
    quiet = arguments.disable_tqdm or not PartialState().is_main_process
    with tqdm(total=sum(len(one.features) for one in sets), desc="sentences", leave=False, disable=quiet) as bar:
        reader = Reader(
            model.eval(),
            data.collator,
            model.config.pooling,
            trainer.eval_tokens or arguments.eval_batch_size,
            autocast_type(arguments),
            after=bar.update,
            shares=shares_of(arguments),
        )
        return data.task.kind.search(data.task, reader, data.evaluation, data.tuning)
