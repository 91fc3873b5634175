"""What is analysed: an encoder, or a finished run with its fusion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from ..encoders import read_tokenizer, resolve_encoder
from ..errors import InputError, one_line
from ..modeling_dlfa import DLFAModel
from ..tasks.encoding import LabelPiece
from ..tasks.reading import Reader
from ..training.encoder_check import check_encoder
from ..training.model import encoder_config, is_dlfa, open_config, open_trained
from ..training.results import RESULTS_FILE, RunResults, data_name, short_name
from ..vectors import FUSED, Layer


@dataclass(frozen=True)
class Opened:
    """A model that is looked into.

    Attributes:
        name: how pages call it.
        model: encoder and fusion without a head, in evaluation mode, in 32 bits, on a GPU where there is one; an
            encoder has the fusion "none".
        tokenizer: that of its encoder.
        results: what a finished run has left; None for an encoder or a bare checkpoint.
    """

    name: str
    model: DLFAModel
    tokenizer: PreTrainedTokenizerBase
    results: RunResults | None

    @property
    def reader(self) -> Reader:
        """Makes vectors of sentences, the mean over all tokens, in 32 bits: more than cosines is asked of them."""
        return Reader(self.model, DataCollatorWithPadding(self.tokenizer), store=np.float32)

    @property
    def encoder(self) -> str:
        """The encoder's name, that of a folder alone; of a run the one that it started from."""
        return data_name(self.results.encoder) if self.results is not None else data_name(self.name)

    @property
    def label_piece(self) -> LabelPiece:
        """Which piece of a word bears its label: as in the run, the usual one of an encoder."""
        return self.results.training.get("label_piece", "character") if self.results is not None else "character"

    @property
    def layers(self) -> list[Layer]:
        """All layers of the encoder, and "fused" where a fusion makes something else than one of them."""
        return self.reader.layers


def open_model(name: str, max_length: int = 128) -> Opened:
    """Open an encoder or a finished run.

    Args:
        name: of an encoder on the Hub, a folder, or "embedded"; or the folder of a run, or a DLFA checkpoint.
        max_length: tokens of a row that the encoder must be able to read.

    Raises:
        InputError: it cannot be opened, or is no encoder.
    """
    check_is_model(name)
    config = open_config(name)
    tokenizer = read_tokenizer(name)
    check_encoder(name, encoder_config(name), max_length)
    try:
        model: Any = (
            open_trained(name)
            if is_dlfa(config)
            else DLFAModel.from_encoder(resolve_encoder(name), dtype=torch.float32, fusion="none")
        )
    except (ValueError, OSError) as error:
        raise InputError(f"cannot open the encoder {name}: {one_line(error)}") from error
    model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    results = RunResults.load(Path(name)) if (Path(name) / RESULTS_FILE).is_file() else None
    return Opened(short_name(name), model, tokenizer, results)


def check_is_model(name: str) -> None:
    """Refuse a folder without a model, such as that of several runs.

    Raises:
        InputError: naming the runs that are in it.
    """
    folder = Path(name)
    if not folder.is_dir() or (folder / "config.json").is_file():
        return
    inside = sorted(str(path.parent) for path in folder.glob(f"*/{RESULTS_FILE}"))
    advice = f"give one of {', '.join(inside)}" if inside else "expected an encoder or a finished run"
    raise InputError(f"{name} holds no model: {advice}")


def layer_title(layer: Layer) -> str:
    """ "0", ..., "12", or "after fusion"."""
    return "after fusion" if layer == FUSED else str(layer)


def layer_place(layer: Layer) -> str:
    """ "layer 12", or "after fusion"."""
    return layer_title(layer) if layer == FUSED else f"layer {layer}"
