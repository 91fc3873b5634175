"""The parts of an encoder that can be trained apart: its layers, and what comes behind them."""

from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from ..errors import InputError
from ..modeling_dlfa import DLFAPreTrainedModel
from .encoder_check import probes


def encoder_of(model: DLFAPreTrainedModel) -> PreTrainedModel:
    """The pretrained encoder inside a model with a head."""
    return cast(Any, model).dlfa.encoder


def layers_of(encoder: PreTrainedModel) -> nn.ModuleList:
    """The encoder's layers, from the lowest.

    Raises:
        InputError: it keeps them in another way, such as ALBERT, whose layers share their weights.
    """
    count = encoder.config.num_hidden_layers
    found = [part for part in encoder.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    if not found:
        family = encoder.config.model_type
        raise InputError(f"--train: this {family} encoder does not keep its {count} layers in a list of their own")
    return found[0]


@torch.no_grad()
def behind(encoder: PreTrainedModel, layers: nn.ModuleList) -> list[nn.Module]:
    """Modules with weights that run after the last layer, such as the final norm of some encoders.

    Found by running the encoder on a few tokens: families call them by many names.
    """
    after: list[nn.Module] = []
    over = False

    def last_layer_ran(*_: Any) -> None:
        nonlocal over
        over = True

    def runs(module: nn.Module, *_: Any) -> None:
        if over:
            after.append(module)

    owners = [module for module in encoder.modules() if next(module.parameters(recurse=False), None) is not None]
    hooks = [
        layers[-1].register_forward_hook(last_layer_ran),
        *(one.register_forward_pre_hook(runs) for one in owners),
    ]
    training = encoder.training
    try:
        ids = probes(encoder.config, 4)[0].to(encoder.device)[None]
        encoder.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
    finally:
        encoder.train(training)
        for hook in hooks:
            hook.remove()
    return after
