"""Models that read states which an encoder has computed before."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput


class KnownStates(nn.Module):
    """Stands where a model has its encoder, and hands on states that were computed elsewhere."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.config = config

    def get_input_embeddings(self) -> None:
        """There are none; gradient checkpointing asks."""

    def forward(self, states: Sequence[torch.Tensor], **_: Any) -> BaseModelOutput:
        """states: L + 1 times (B, T, E), as `hidden_states`."""
        return BaseModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states))  # pyright: ignore
