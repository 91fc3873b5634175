"""The model that a run asks for."""

import copy
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig

from ..backbones import EMBEDDED, EMBEDDED_HUB_ID, resolve_encoder
from ..configuration_dlfa import DLFAConfig
from ..errors import InputError, one_line
from ..modeling_dlfa import DLFAForSequenceClassification, DLFAForTokenClassification, DLFAPreTrainedModel
from ..xtreme.tasks import Task, get_task
from .arguments import AUTO_LAYER, RunArguments
from .results import short_name


MODEL_CLASSES: dict[str, type[DLFAPreTrainedModel]] = {
    "classification": DLFAForSequenceClassification,
    "tagging": DLFAForTokenClassification,
}


def model_arguments(arguments: RunArguments, task: Task) -> dict[str, Any]:
    """The arguments of `DLFAConfig` that a run asks for."""
    return {
        "fusion": arguments.fusion,
        "fusion_layer": None if arguments.fusion_layer == AUTO_LAYER else arguments.fusion_layer,
        "pooling": arguments.pooling or ("mean" if arguments.model_name_or_path == EMBEDDED else "cls"),
        "id2label": dict(enumerate(task.labels)),
        "label2id": {label: index for index, label in enumerate(task.labels)},
    } | arguments.overrides()


def check_model(arguments: RunArguments) -> None:
    """Look at the encoder's configuration only: whether there is such an encoder, and whether the fusion fits it.

    Raises:
        InputError: where `build_model` would raise it, apart from damaged weights.
    """
    encoder_config = _encoder_config(arguments.model_name_or_path, arguments.model_revision)
    try:
        DLFAConfig(encoder_config=encoder_config, **model_arguments(arguments, get_task(arguments.task)))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"cannot build the model: {one_line(error)}") from error


def encoder_layers(name: str, revision: str | None = None) -> int:
    """L, the number of layers of an encoder.

    Raises:
        InputError: it cannot be opened, or is a DLFA checkpoint.
    """
    return DLFAConfig(encoder_config=_encoder_config(name, revision), fusion="none").num_encoder_layers


def _encoder_config(name: str, revision: str | None) -> PreTrainedConfig:
    try:
        config = AutoConfig.from_pretrained(resolve_encoder(name), revision=revision, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise InputError(f"cannot open the encoder {name}: {one_line(error)}") from error
    if config.model_type == DLFAConfig.model_type:
        raise InputError(f"{name} is a DLFA checkpoint: --model_name_or_path expects a plain encoder")
    return config


def build_model(arguments: RunArguments, task: Task) -> DLFAPreTrainedModel:
    """The pretrained encoder with the asked fusion and a new head for the task.

    Built with the same seed, a model has the head of the baseline, and training draws the same dropout: what sets the
    two apart is the fusion, not luck.

    Raises:
        InputError: an encoder that cannot be opened, or a fusion that does not fit it.
    """
    model_class = MODEL_CLASSES[task.kind]
    wanted = model_arguments(arguments, task)
    try:
        model: Any = model_class.from_encoder(
            resolve_encoder(arguments.model_name_or_path),
            revision=arguments.model_revision,
            **{**wanted, "fusion": "none"},
        )
        if arguments.fusion != "none":
            # A copy, because a new configuration resets how its encoder attends.
            config = DLFAConfig(encoder_config=copy.deepcopy(model.config.encoder_config), **wanted)
            with torch.random.fork_rng(devices=[]):
                fused: Any = model_class(config, encoder=model.dlfa.encoder)
            fused.classifier = model.classifier
            config.dtype = model.dtype
            model = fused.to(model.dtype).eval()
    except (ValueError, OSError) as error:
        raise InputError(f"cannot build the model: {one_line(error)}") from error
    # It is saved with the model, and a path on this machine helps nobody.
    name = EMBEDDED_HUB_ID if arguments.model_name_or_path == EMBEDDED else short_name(arguments.model_name_or_path)
    model.config.encoder_config._name_or_path = name
    if arguments.freeze_embeddings:
        model.get_input_embeddings().requires_grad_(False)
    return model
