"""Batches of rows with labels of some of their tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from .encoding import IGNORED


@dataclass
class PositionsCollator:
    """Pads rows: the inputs as the tokenizer does, labels and the tokens that they are of to the most of the batch.

    Returns the positions (B, W), padded with -1, and `labels` (B, W, ...), padded with -100, beside the inputs.

    Args:
        tokenizer: pads, on either side.
        positions: name of the column with the places of these tokens in the row.
    """

    tokenizer: PreTrainedTokenizerBase
    positions: str

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        beside = {self.positions, "labels"}
        inputs = [{name: value for name, value in row.items() if name not in beside} for row in rows]
        batch = dict(DataCollatorWithPadding(self.tokenizer)(inputs))
        places = [torch.tensor(row[self.positions]) for row in rows]
        if self.tokenizer.padding_side == "left":
            length = batch["input_ids"].shape[1]
            places = [own + length - len(row["input_ids"]) for own, row in zip(places, rows, strict=True)]
        batch[self.positions] = pad_sequence(places, batch_first=True, padding_value=-1)
        if "labels" in rows[0]:
            labels = [torch.tensor(row["labels"]) for row in rows]
            batch["labels"] = pad_sequence(labels, batch_first=True, padding_value=IGNORED)
        return batch
