"""How much of layer k is used, added up: u = 1 - w at every token and channel.

Shapes: N tokens, E channels. Padding is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..batching import token_batches
from ..errors import InputError
from ..tasks.encoding import BESIDE_THE_INPUTS
from ..tasks.words import word_numbers
from ..training.data import EvalSet
from .gate_run import GatedRun


PLACES = ("special tokens", "first piece of a word", "later pieces")
BINS = 1000
"""Of the histogram over all tokens and channels: quantiles are read off it, to the third decimal."""

BATCH_TOKENS = 4096

CONSTANT = 0.02
"""A gate is called constant where nine tenths of its values, over all tokens and channels, lie closer (our choice)."""


@dataclass
class Used:
    """u of everything that was looked at.

    Attributes:
        tokens: language -> (N,), the mean over channels at each token.
        places: language -> (N,), index into `PLACES`.
        labelled: label -> the mean over channels at each word, or row, that has it.
        sums, squares: (E,), over tokens.
        histogram: (BINS,), of all values.
    """

    tokens: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, np.ndarray] = field(default_factory=dict)
    labelled: dict[str, list[float]] = field(default_factory=dict)
    sums: Any = 0.0
    squares: Any = 0.0
    histogram: Any = 0

    @property
    def count(self) -> int:
        """N, over all languages."""
        return sum(map(len, self.tokens.values()))

    @property
    def of_tokens(self) -> np.ndarray:
        """(N,) of all languages."""
        return np.concatenate(list(self.tokens.values()))

    @property
    def of_places(self) -> np.ndarray:
        return np.concatenate(list(self.places.values()))

    @property
    def mean(self) -> float:
        return float(np.mean(self.sums) / self.count)

    @property
    def channels(self) -> np.ndarray:
        """(E,), the mean of each channel over all tokens."""
        return self.sums / self.count

    @property
    def deviations(self) -> np.ndarray:
        """(E,), the standard deviation of each channel over all tokens."""
        return np.sqrt(np.maximum(self.squares / self.count - self.channels**2, 0))

    def quantile(self, share: float) -> float:
        """Of all values at tokens and channels, to the width of a bin."""
        below = np.cumsum(self.histogram) / self.histogram.sum()
        return float((np.searchsorted(below, share) + 0.5) / BINS)

    @property
    def spread(self) -> float:
        """Between the 5th and the 95th percentile of all values."""
        return self.quantile(0.95) - self.quantile(0.05)

    @property
    def is_constant(self) -> bool:
        return self.spread < CONSTANT

    @property
    def dynamic(self) -> float:
        """The share of the variance that lies between tokens in the same channel; the rest lies between channels."""
        within, between = float(np.mean(self.deviations**2)), float(np.var(self.channels))
        return within / (within + between) if within + between > 0 else 0.0


@torch.inference_mode()
def used(run: GatedRun, sets: Mapping[str, EvalSet]) -> Used:
    """Look at the gate on every row of every language.

    Labels are looked at where the kind knows which states they are of; else `Used.labelled` stays empty.
    """
    found = Used()
    for language, one in sets.items():
        tokens, places = [], []
        for batch, gate in _gates(run, one):
            real = batch["attention_mask"].reshape(-1, gate.shape[1]).bool()
            ids = batch["input_ids"].reshape(real.shape)
            lower = 1 - gate.double()
            values = lower[real].cpu().numpy()  # (N, E)
            tokens.append(values.mean(axis=1))
            places += [_places(row[at].tolist(), run.data.tokenizer) for row, at in zip(ids, real)]
            found.sums = found.sums + values.sum(axis=0)
            found.squares = found.squares + (values**2).sum(axis=0)
            found.histogram = found.histogram + np.histogram(values, bins=BINS, range=(0, 1))[0]
            _add_labels(found, run, lower.mean(dim=-1, keepdim=True).float(), batch)
        found.tokens[language], found.places[language] = np.concatenate(tokens), np.concatenate(places)
    return found


def _gates(run: GatedRun, one: EvalSet) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Padded batches, with the labels, and w (B, T, E) of each; of rows of choices (B * C, T, E)."""
    inputs = [name for name in one.features.column_names if name not in BESIDE_THE_INPUTS]
    rows, model = one.features.select_columns(inputs).to_list(), run.model
    for start, end in token_batches(one.features["length"][:], BATCH_TOKENS):
        batch = {name: values.to(model.device) for name, values in run.data.collator(rows[start:end]).items()}
        asked = {name: values for name, values in batch.items() if name != "labels"}
        yield batch, model(**asked, output_fusion=True).gate


def _places(ids: list[int], tokenizer: Any) -> np.ndarray:
    """Index into `PLACES` of each piece of a row."""
    numbers = word_numbers(ids, tokenizer)
    before = [None, *numbers[:-1]]
    return np.array([0 if one is None else 1 + (one == last) for one, last in zip(numbers, before)])


def _add_labels(found: Used, run: GatedRun, means: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
    """Sort words, or rows, by label; `means` is (B, T, 1)."""
    task, base = run.task, run.model.base_model
    try:
        known = list(task.kind.known(task, base, means, batch))
    except InputError:  # labels of no words or rows
        return
    for values, labels in known:
        ids = labels if labels.dim() == 1 else labels[..., -1]  # of an arc, its relation
        for value, label in zip(values.squeeze(-1).tolist(), ids.tolist(), strict=True):
            if label >= 0:
                found.labelled.setdefault(task.labels[label], []).append(value)
