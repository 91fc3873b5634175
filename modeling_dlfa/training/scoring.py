"""What is to be scored, in batches of as many tokens rather than rows, all languages of a task together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets
from transformers import Trainer
from transformers.trainer_pt_utils import BatchRebalanceSampler, nested_concat

from ..batching import token_batches
from ..tasks.encoding import IGNORED
from .data import EvalSet


PASS_TOKENS = 2**20
"""Padded tokens of one pass (our choice): the Trainer joins what it keeps after every batch, and kept ids of so many
take 8 MB."""


class TokenBatches(BatchRebalanceSampler):
    """One process's share of batches of consecutive rows, each with as many as a number of padded tokens has room for.

    Made for rows that are sorted by length. All processes get equally many rows of a batch, so that outputs can be
    gathered as they are; where the last batch cannot be divided so, its last row is repeated, behind all others.

    The base class is how the Trainer recognises batches that are divided by process already; nothing of it is used.

    Args:
        lengths: sub-words of each row.
        tokens: the most that a process's share of a batch holds, padding included; a longer row is a share alone.
        processes, rank: how many processes there are, and which this is.
    """

    def __init__(self, lengths: Sequence[int], tokens: int, processes: int = 1, rank: int = 0):
        self.rows = len(lengths)
        self.processes = processes
        self.rank = rank
        self.bounds = list(token_batches(lengths, tokens, processes))

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in self.bounds:
            share = -(-(end - start) // self.processes)
            first = start + self.rank * share
            yield [min(row, self.rows - 1) for row in range(first, first + share)]

    def __len__(self) -> int:
        return len(self.bounds)


def predictions(
    trainer: Trainer, sets: Mapping[str, EvalSet], announce: Callable[[str], None] | None = None
) -> dict[str, list]:
    """What the trainer's model answers in every set, in the shape and order of `Kind.references`; as `outputs`."""
    kept = outputs(trainer, sets, announce)
    return {name: eval_set.in_order(*kept[name]) for name, eval_set in sets.items()}


def outputs(
    trainer: Trainer, sets: Mapping[str, EvalSet], announce: Callable[[str], None] | None = None
) -> dict[str, tuple[Any, Any]]:
    """What is kept of the trainer's model in every set, and the labels, as `EvalSet.in_order` takes them.

    The rows of all sets are sorted by length together: a batch is filled with rows of several sets, and what one set
    leaves of it is no batch of its own. They are read in passes of `PASS_TOKENS`, so that no more has to be joined.

    Args:
        sets: name -> rows, encoded; of one task.
        announce: is told what each pass scores, in words of a progress bar.
    """
    features, owners = merged(sets)
    kept: dict[str, list[tuple[Any, Any]]] = {name: [] for name in sets}
    passes = list(token_batches(features["length"][:], PASS_TOKENS))
    title = ", ".join(sets) if len(sets) == 1 else f"{len(sets)} languages"
    for number, (start, end) in enumerate(passes, start=1):
        if announce is not None:
            announce(title if len(passes) == 1 else f"{title}, {number}/{len(passes)}")
        output: Any = trainer.predict(features.select(range(start, end)))  # pyright: ignore[reportArgumentType]
        for place, name in enumerate(sets):
            own = owners[start:end] == place
            if own.any():
                kept[name].append((output.predictions[own], output.label_ids[own]))
    return {name: _joined(parts) for name, parts in kept.items()}


def merged(sets: Mapping[str, EvalSet]) -> tuple[Dataset, np.ndarray]:
    """The encoded rows of several sets, longest first, and of each row which set it is of (N,).

    Rows of one set, which are sorted, stay in their order.
    """
    features = concatenate_datasets([eval_set.features for eval_set in sets.values()])
    owners = np.repeat(np.arange(len(sets)), [len(eval_set.features) for eval_set in sets.values()])
    order = np.argsort(-np.array(features["length"][:]), kind="stable")
    return features.select(order), owners[order]


def _joined(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    if not parts:  # rows without anything to predict
        return np.zeros((0, 1), dtype=np.int64), np.zeros((0, 1), dtype=np.int64)
    whole: Any = parts[0]
    for part in parts[1:]:
        whole = nested_concat(whole, part, padding_index=IGNORED)
    return whole
