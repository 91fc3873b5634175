"""The sentences of a task as vectors: what kinds that train nothing compare."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from ..modeling_dlfa import DLFAModel
from ..vectors import ALONE, BATCH_TOKENS, FUSED, Layer, Shares, pooled_layers
from .encoding import BESIDE_THE_INPUTS


IN_FLOAT32 = 10**9
"""Bytes that vectors may take in 32 bits; where they would take more, they are kept in 16 (our choice)."""


@dataclass(frozen=True)
class Reader:
    """Reads encoded rows, and gives a vector for each in any layer.

    Attributes:
        model: encoder and fusion.
        collate: pads rows to a batch.
        pooling, batch_tokens, autocast, after, shares: as for `pooled_layers`.
        store: type of the numbers of vectors; default: 32 bits, or 16 where they would take more than `IN_FLOAT32`,
            which leaves cosines as they are, and nothing else.
    """

    model: DLFAModel
    collate: Callable[[list[dict[str, Any]]], Any]
    pooling: str = "mean"
    batch_tokens: int = BATCH_TOKENS
    autocast: torch.dtype | None = None
    after: Callable[[int], Any] | None = None
    store: type[np.floating] | None = None
    shares: Shares = ALONE

    @property
    def depth(self) -> int:
        """L, the encoder's layers."""
        return self.model.config.num_hidden_layers

    @property
    def scored(self) -> Layer:
        """What the model makes, by the layer's number where it is one of the encoder's as it is."""
        config = self.model.config
        if config.input_norm != "none":
            return FUSED
        if config.fusion == "layer" and len(config.fusion_layers) == 1:
            return config.fusion_layers[0]
        return self.depth if config.fusion == "none" else FUSED

    @property
    def layers(self) -> list[Layer]:
        """All layers of the encoder, and what the model makes of them where that is none of them."""
        return [*range(self.depth + 1), *([FUSED] if self.scored == FUSED else [])]

    def vectors(self, rows: Dataset, layers: Iterable[Layer]) -> dict[Layer, np.ndarray]:
        """layer -> (N, E) in the order of `sentence`; rows as a kind encodes them, sorted by `length`."""
        layers = list(layers)
        read = rows.select_columns([name for name in rows.column_names if name not in BESIDE_THE_INPUTS])
        size = 4 * len(rows) * self.model.config.hidden_size * len(layers)
        found = pooled_layers(
            self.model,
            rows["length"][:],
            lambda batch: self.collate(read.select(batch).to_list()),
            layers,
            self.pooling,
            self.batch_tokens,
            self.autocast,
            self.store or (np.float32 if size <= IN_FLOAT32 else np.float16),
            self.after,
            self.shares,
        )
        places = np.argsort(rows["sentence"][:])
        for layer in layers:  # one by one, so that there is no second copy of all
            found[layer] = found[layer][places]
        return found
