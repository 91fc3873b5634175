"""Hidden states that an encoder has computed before, and models that read them."""

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from .configuration_dlfa import DLFAConfig
from .modeling_dlfa import DLFAPreTrainedModel


class KnownStates(nn.Module):
    """Stands where a model has its encoder, and hands on states that were computed elsewhere."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.config = config

    def get_input_embeddings(self) -> None:
        """There are none; gradient checkpointing asks."""

    def forward(self, states: Sequence[torch.Tensor | None], **_: Any) -> BaseModelOutput:
        """Hand states on.

        Args:
            states: L + 1 times (B, T, E), as `hidden_states`, or (B, C, T, E) of choices; None where the model does
                not read them.
        """
        flat = tuple(None if one is None else one.flatten(0, -3) for one in states)
        return BaseModelOutput(last_hidden_state=flat[-1], hidden_states=flat)  # pyright: ignore


def reading_states(model_class: type[DLFAPreTrainedModel], config: DLFAConfig) -> Any:
    """A new model with `KnownStates` for its encoder: `forward(states=..., ...)`. No random numbers are drawn for it.

    Args:
        config: is not changed; a model sets how its encoder attends, and this one has none.
    """
    config = copy.deepcopy(config)
    stand_in: Any = KnownStates(config.encoder_config)
    with torch.random.fork_rng(devices=[]):
        return model_class(config, encoder=stand_in)  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True)
class SetOfStates:
    """What is kept of the rows of one set, as `set.json` says it.

    Attributes:
        key: fingerprint of encoder, precision and what the encoder reads of the rows; the name of the folder.
        name: of the set, such as "panx test de", and of the encoder, for people.
        lengths: tokens of each row, in the order of the set; its sum is the number of states.
        width: E.
        layers: L.
    """

    key: str
    name: str
    lengths: tuple[int, ...]
    width: int
    layers: int

    @property
    def tokens(self) -> int:
        return sum(self.lengths)

    @cached_property
    def starts(self) -> list[int]:
        """Of each row, the place of its first state among all; last, how many there are."""
        return [0, *accumulate(self.lengths)]

    @property
    def layer_bytes(self) -> int:
        """What one layer takes on disk."""
        return self.tokens * self.width * 2


def layer_file(folder: Path, layer: int) -> Path:
    """Where a set's folder has the states of a layer."""
    return folder / f"layer-{layer:02}.f16"


def mapped(path: Path, one: SetOfStates, mode: Any) -> np.memmap:
    """The file of one layer of a set, (tokens, E)."""
    return np.memmap(path, dtype=np.float16, mode=mode, shape=(one.tokens, one.width))


class RowsOfStates:
    """States of the rows of several sets, numbered through in the order of the sets.

    Args:
        folder: of the cache.
        sets: what is there.
        layers: that were kept, sorted.
    """

    def __init__(self, folder: Path, sets: Sequence[SetOfStates], layers: Sequence[int]):
        self.folder, self.sets, self.layers = folder, list(sets), list(layers)
        self.starts = [0, *accumulate(len(one.lengths) for one in sets)]  # number of each set's first row

    def numbers(self, place: int) -> range:
        """The numbers of the rows of a set."""
        return range(self.starts[place], self.starts[place + 1])

    @cached_property
    def _files(self) -> list[dict[int, np.memmap]]:
        return [
            {layer: mapped(layer_file(self.folder / one.key, layer), one, "r") for layer in self.layers}
            if one.tokens
            else {}
            for one in self.sets
        ]

    def open(self) -> None:
        """Map all files now, so that they can be deleted while they are read."""
        _ = self._files

    def __getstate__(self) -> dict[str, Any]:
        """Files are mapped anew in another process, as in those of a DataLoader."""
        return {name: value for name, value in vars(self).items() if name != "_files"}

    def batch(self, rows: Sequence[int | None], length: int) -> list[torch.Tensor | None]:
        """The states of rows, padded with zeros: L + 1 times (B, length, E), None for layers that are not kept.

        Args:
            rows: numbers; None is all padding.
        """
        one = self.sets[0]
        padded = {layer: np.zeros((len(rows), length, one.width), dtype=np.float32) for layer in self.layers}
        for place, row in enumerate(rows):
            if row is None:
                continue
            which = bisect_right(self.starts, row) - 1
            row -= self.starts[which]
            start, end = self.sets[which].starts[row : row + 2]
            for layer in self.layers:
                padded[layer][place, : end - start] = self._files[which][layer][start:end]
        states: list[torch.Tensor | None] = [None] * (one.layers + 1)
        for layer, values in padded.items():
            states[layer] = torch.from_numpy(values)
        return states

    def moments(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of every channel over the tokens of a set: twice (layers, E), in 64 bits."""
        pairs = []
        for layer in self.layers:
            values = self._files[place][layer]
            mean = sum(block.sum(axis=0) for block in _blocks(values)) / len(values)
            variance = sum(np.square(block - mean).sum(axis=0) for block in _blocks(values)) / len(values)
            pairs.append((mean, np.sqrt(variance)))
        means, deviations = (np.stack(column) for column in zip(*pairs, strict=True))
        return torch.from_numpy(means), torch.from_numpy(deviations)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in 64 bits, a part at a time."""
    return (values[start : start + 65536].astype(np.float64) for start in range(0, len(values), 65536))


class StatesCollator:
    """Pads rows as another collator does, and adds their `states`.

    Args:
        collate: of rows without states; it pads on the right.
        states: of all sequences; a row's column `states` has its number, or those of its choices.
    """

    def __init__(self, collate: Callable[[list[dict[str, Any]]], Any], states: RowsOfStates):
        self.collate, self.states = collate, states

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [row["states"] for row in rows]
        batch = dict(self.collate([{name: row[name] for name in row if name != "states"} for row in rows]))
        *of_rows, length = batch["input_ids"].shape
        if len(of_rows) == 2:
            numbers = [number for row in numbers for number in [*row, *[None] * (of_rows[1] - len(row))]]
        states = self.states.batch(numbers, length)
        batch["states"] = [None if one is None else one.unflatten(0, of_rows) for one in states]
        return batch
