"""What the Trainer would find out late about its arguments: looked at before anything is read."""

from collections.abc import Iterator
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, get_scheduler
from transformers.integrations.integration_utils import get_reporting_integration_callbacks

from ..errors import InputError, one_line
from ..tasks.task import Task


# Optimizers that give every parameter, or chosen modules, updates of their own.
_WITHOUT_GROUPS = ("galore", "apollo", "lomo", "adalomo")


def check_training(task: Task, arguments: TrainingArguments) -> None:
    """Refuse a training that could not begin, or would not be what was asked for.

    Raises:
        InputError: naming the argument, and what it needs.
    """
    for problem in _problems(task, arguments):
        raise InputError(problem)
    _made("report_to", lambda: [callback() for callback in get_reporting_integration_callbacks(arguments.report_to)])
    weight = torch.nn.Parameter(torch.zeros(1))
    of_scheduler: Any = arguments.lr_scheduler_kwargs or {}
    make, kwargs = _made("optim", lambda: Trainer.get_optimizer_cls_and_kwargs(arguments))
    _made("optim", lambda: make([weight], **kwargs))
    _made(
        "lr_scheduler_type",
        lambda: get_scheduler(
            arguments.lr_scheduler_type,
            torch.optim.SGD([weight], lr=1.0),
            num_warmup_steps=0,
            num_training_steps=10,
            scheduler_specific_kwargs=dict(of_scheduler),
        ),
    )


def _problems(task: Task, arguments: TrainingArguments) -> Iterator[str]:
    for name in ("lr_scheduler_kwargs", "activation_checkpointing_kwargs"):
        if not isinstance(getattr(arguments, name, None) or {}, dict):
            yield f"--{name} {getattr(arguments, name)}: expected a JSON object"
    optim = getattr(arguments.optim, "value", arguments.optim)
    if optim.startswith(_WITHOUT_GROUPS):
        yield f"--optim {optim}: head and fusion have learning rates of their own, which it does not take"
    if "underflow_overflow" in [getattr(option, "value", option) for option in arguments.debug]:
        yield "--debug underflow_overflow: Transformers' detector takes the fusion's mask for numbers, and fails"
    if arguments.fp16 and arguments.device.type == "cpu":
        yield "--fp16: it needs a GPU; on a CPU there is --bf16"
    if arguments.fsdp and arguments.world_size == 1:
        yield "--fsdp: it divides a model between several processes, and this is one: start them with torchrun"
    if arguments.dataloader_num_workers == 0:
        for name in ("dataloader_persistent_workers", "dataloader_multiprocessing_context"):
            if getattr(arguments, name, None):
                yield f"--{name}: it needs --dataloader_num_workers of at least 1"
    if arguments.label_smoothing_factor and task.kind.trains:  # else it is for the stages before
        try:
            task.kind.check_layer_logits(task)
        except InputError:
            given = f"--label_smoothing_factor {arguments.label_smoothing_factor:g}"
            yield f"{given}: {task.name} has no single distribution over labels to smooth"


def _made(name: str, make: Any) -> Any:
    """What a library makes of an argument.

    Raises:
        InputError: it refuses.
    """
    try:
        return make()
    except Exception as error:  # of many libraries
        raise InputError(f"--{name}: {type(error).__name__}: {one_line(error, 300)}") from error
