"""The model that a run asks for."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from ..configuration_dlfa import FUSION_READS, DLFAConfig
from ..encoders import EMBEDDED, EMBEDDED_HUB_ID, resolve_encoder
from ..errors import InputError, one_line
from ..files import expanded
from ..modeling_dlfa import AIF, DLFAModel, DLFAPreTrainedModel, refuse_own_code
from ..tasks.registry import get_task
from ..tasks.task import Task
from .arguments import AUTO_LAYER, RunArguments
from .encoder_check import check_encoder, check_states
from .results import short_name


def model_arguments(arguments: RunArguments, task: Task, start: PreTrainedConfig) -> dict[str, Any]:
    """The arguments of `DLFAConfig` that a run asks for.

    Args:
        start: configuration of the encoder, or of the DLFA checkpoint that the run goes on from.
    """
    return {
        "fusion": arguments.fusion,
        "fusion_layer": _layer(arguments, task, start),
        "pooling": pooling(arguments, start),
        "input_norm": arguments.input_norm,
        "id2label": dict(enumerate(task.kind.outputs(task))),
        "label2id": {label: index for index, label in enumerate(task.kind.outputs(task))},
        "problem_type": task.kind.problem_type,
    } | arguments.overrides()


def _layer(arguments: RunArguments, task: Task, start: PreTrainedConfig) -> Any:
    """k of a run, or several; None for that of `DLFAConfig`."""
    if arguments.fusion_layer == AUTO_LAYER:
        return None
    own = arguments.fusion_layer is None and not arguments.carry_fusion  # what is carried has the layer that it has
    if own and FUSION_READS.get(arguments.fusion) == "layer":
        return task.kind.fused_layer(getattr(_encoder_config(start), "num_hidden_layers", 0))
    return arguments.fusion_layer


def pooling(arguments: RunArguments, start: PreTrainedConfig) -> str:
    """How a sequence becomes one vector, by `DLFAConfig.pooling`; arguments as `model_arguments`."""
    own = start.pooling if is_dlfa(start) else "mean" if arguments.model_name_or_path == EMBEDDED else "cls"
    return arguments.pooling or get_task(arguments.task).kind.pooling or own


def plain_baseline(arguments: RunArguments) -> RunArguments:
    """Those of the baseline whose states are the encoder's own, for heads, or whole models, that read them."""
    return replace(arguments, fusion="none", input_norm="none")


def check_model(arguments: RunArguments) -> DLFAConfig:
    """Look at the encoder's configuration only: whether it is one that can be trained, and whether the fusion fits it.

    Returns:
        the configuration of the model, with a default layer for "auto".

    Raises:
        InputError: where `build_model` would raise it, apart from damaged weights.
    """
    start = open_config(arguments.model_name_or_path, arguments.model_revision)
    check_encoder(arguments.model_name_or_path, _encoder_config(start), arguments.max_length)
    wanted = model_arguments(arguments, get_task(arguments.task), start)
    try:
        config = DLFAConfig(encoder_config=_encoder_config(start), **wanted)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"cannot build the model: {one_line(error)}") from error
    if arguments.carry_fusion and not arguments.stage_tasks:
        _check_same_fusion(arguments.model_name_or_path, start, config)
    return config


def encoder_layers(name: str, revision: str | None = None) -> int:
    """L, the number of layers of an encoder, or of that inside a DLFA checkpoint.

    Raises:
        InputError: it cannot be opened.
    """
    return DLFAConfig(encoder_config=encoder_config(name, revision), fusion="none").num_hidden_layers


def open_config(name: str, revision: str | None = None) -> PreTrainedConfig:
    """The configuration of an encoder or of a DLFA checkpoint.

    Raises:
        InputError: it cannot be opened.
    """
    if name.startswith((".", "/", "~")) and not Path(expanded(name)).exists():
        raise InputError(f"cannot open the encoder {name}: no such folder")
    try:
        where: dict[str, Any] = {"revision": revision}
        refuse_own_code(resolve_encoder(name), where)
        return AutoConfig.from_pretrained(resolve_encoder(name), trust_remote_code=False, **where)
    except (ValueError, OSError, SafetensorError) as error:
        raise InputError(f"cannot open the encoder {name}: {one_line(error)}") from error


def encoder_config(name: str, revision: str | None = None) -> PreTrainedConfig:
    """The configuration of an encoder, or of that inside a DLFA checkpoint.

    Raises:
        InputError: it cannot be opened.
    """
    return _encoder_config(open_config(name, revision))


def is_dlfa(config: PreTrainedConfig) -> bool:
    """Whether a configuration is that of a DLFA checkpoint, rather than of an encoder."""
    return config.model_type == DLFAConfig.model_type


def _encoder_config(config: PreTrainedConfig) -> PreTrainedConfig:
    # A copy, because a new configuration resets how its encoder attends.
    return copy.deepcopy(config.encoder_config if is_dlfa(config) else config)


def _check_same_fusion(name: str, start: PreTrainedConfig, config: DLFAConfig) -> None:
    if not is_dlfa(start):
        raise InputError(f"--carry_fusion: {name} is a plain encoder, it has no fusion to carry over")
    names = ("fusion", "fusion_layer", "input_norm", "aif_reduction", "aif_output", "aif_norm", "aif_activation")
    for field in names:
        there = getattr(start, field)
        if there != getattr(config, field):
            raise InputError(f"--carry_fusion: {name} has {field} {there!r}, not {getattr(config, field)!r}")


def build_model(arguments: RunArguments, task: Task) -> DLFAPreTrainedModel:
    """The pretrained encoder with the asked fusion and a new head for the task.

    Built with the same seed, a model has the head of the baseline, and training draws the same dropout: what sets the
    two apart is the fusion, not luck. Weights are in float32 whatever they are stored in: in half precision the small
    steps of a fine-tuning are rounded away (`--bf16` and `--fp16` compute in it all the same).

    Raises:
        InputError: an encoder that cannot be opened or that DLFA cannot be built on, or a fusion that does not fit it.
    """
    model_class = task.kind.model_class
    name, revision = arguments.model_name_or_path, arguments.model_revision
    start = open_config(name, revision)
    trained = open_trained(name, revision) if is_dlfa(start) else None
    wanted = model_arguments(arguments, task, start)
    plain = {**wanted, "fusion": "none"}
    try:
        if trained is not None:
            model: Any = model_class(
                DLFAConfig(encoder_config=_encoder_config(start), **plain), encoder=trained.encoder
            )
            model.config.dtype = trained.dtype
            model = model.to(trained.dtype).eval()
        else:
            source = resolve_encoder(name)
            model = model_class.from_encoder(source, revision=revision, dtype=torch.float32, **plain)
        if arguments.fusion != "none":
            config = DLFAConfig(encoder_config=_encoder_config(model.config), **wanted)
            with torch.random.fork_rng(devices=[]):
                fused: Any = model_class(config, encoder=model.base_model.encoder)
            for part in new_parts(model):
                setattr(fused, part, getattr(model, part))
            config.dtype = model.dtype
            model = fused.to(model.dtype).eval()
    except (ValueError, OSError, SafetensorError) as error:
        raise InputError(f"cannot build the model: {one_line(error)}") from error
    if arguments.carry_fusion:
        _check_same_fusion(name, start, model.config)
        for part, module in cast(DLFAModel, trained).named_children():
            if part != "encoder":  # fusion, and the norms before it
                model.base_model.get_submodule(part).load_state_dict(module.state_dict())
    # It is saved with the model, and a path on this machine helps nobody.
    origin = start.encoder_config._name_or_path if is_dlfa(start) else short_name(name)
    model.config.encoder_config._name_or_path = EMBEDDED_HUB_ID if name == EMBEDDED else origin
    check_states(name, model, arguments.max_length)
    if arguments.freeze_embeddings:
        model.get_input_embeddings().requires_grad_(False)
    return model


def check_outputs(folder: Path, task: Task) -> None:
    """Refuse the model in a folder for a task of other labels.

    Raises:
        InputError: naming both.
    """
    config = open_config(str(folder))
    labels = tuple((config.id2label or {}).values()) if is_dlfa(config) else ()
    if labels != (asked := task.kind.outputs(task)):
        raise InputError(
            f"{folder} answers with {', '.join(labels) or 'no labels'}, expected those of {task.name}: "
            f"{', '.join(asked)}"
        )


def open_finished(folder: Path, task: Task) -> DLFAPreTrainedModel:
    """The model that a run has saved, with its head.

    Raises:
        InputError: it cannot be read, lacks weights, or was trained for other labels.
    """
    check_outputs(folder, task)
    try:
        model, info = cast(Any, task.kind.model_class.from_pretrained(folder, output_loading_info=True))
    except (ValueError, OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"cannot open the model in {folder}: {one_line(error)}") from error
    if missing := sorted(info["missing_keys"]):
        raise InputError(f"{folder} lacks {len(missing)} weights of a {task.kind.name} model, such as {missing[0]}")
    return model


def open_encoder(name: str, revision: str | None = None) -> PreTrainedModel:
    """A pretrained encoder, or that inside a DLFA checkpoint, in float32.

    Raises:
        InputError: it cannot be opened, or lacks weights.
    """
    if is_dlfa(open_config(name, revision)):
        return cast(Any, open_trained(name, revision)).encoder
    try:
        source = resolve_encoder(name)
        plain: Any = DLFAModel.from_encoder(source, revision=revision, dtype=torch.float32, fusion="none")
    except (ValueError, OSError, SafetensorError) as error:
        raise InputError(f"cannot open the encoder {name}: {one_line(error)}") from error
    return plain.encoder


def has_sharing_gate(model: DLFAPreTrainedModel) -> bool:
    """Whether the fusion is an AIF whose gate shares channels between the last layer, w, and a lower one, 1 - w."""
    fusion = cast(Any, model.base_model).fusion
    return isinstance(fusion, AIF) and fusion.output == "gate"


def new_parts(model: DLFAPreTrainedModel) -> list[str]:
    """Names of the modules that a task adds to encoder and fusion: its head, where it has one."""
    if model.base_model is model:
        return []
    return [name for name, _ in model.named_children() if name != model.base_model_prefix]


def open_trained(name: str, revision: str | None = None) -> DLFAModel:
    """Encoder and fusion of a DLFA checkpoint, without its head; opened without drawing random numbers.

    Raises:
        InputError: it cannot be read, or lacks weights.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            loaded = DLFAModel.from_pretrained(
                name, revision=revision, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
            )
            model, info = cast(Any, loaded)
    except (ValueError, OSError, SafetensorError) as error:
        raise InputError(f"cannot build the model: {one_line(error)}") from error
    if missing := sorted(info["missing_keys"]):
        raise InputError(f"{name} lacks {len(missing)} weights of its encoder and fusion, such as {missing[0]}")
    return model
