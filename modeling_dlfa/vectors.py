"""Vectors of sentences: the pooled states of a layer of the encoder, or of what a DLFA model makes of its layers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from .batching import token_batches
from .errors import InputError
from .modeling_dlfa import DLFAModel, pooled


FUSED = "fused"
"""In place of a layer's number: what comes out of the model, its `last_hidden_state`."""

Layer = int | str

BATCH_TOKENS = 8192  # of a batch, padding included (our choice)


@dataclass(frozen=True)
class Shares:
    """How the batches of a pass are divided between processes: one of P does every P-th.

    Attributes:
        rank, processes: which this is, and P.
        add_up: adds up an array over all processes, in place; each has zeros where another has something.
    """

    rank: int = 0
    processes: int = 1
    add_up: Callable[[np.ndarray], Any] = lambda array: None

    def own(self, batch: int) -> bool:
        """Whether the batch of this number is one of this process."""
        return batch % self.processes == self.rank


ALONE = Shares()


def sentence_vectors(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    layer: Layer = FUSED,
    pooling: str | None = None,
    max_length: int = 512,
    batch_tokens: int = BATCH_TOKENS,
) -> np.ndarray:
    """Vectors of sentences, to compare by cosine.

    Args:
        model: a DLFA model, with or without a head (which is not asked), in evaluation mode, on any device.
        tokenizer: that of its encoder.
        texts: the sentences. Some encoders want a word before each, multilingual-e5 "query: ".
        layer: "fused", what the model's fusion makes (the last layer, where `fusion="none"`); or k, the encoder's
            `hidden_states[k]`, 0 the embeddings. XTREME takes 8 of 12 layers, 14 of 24.
        pooling: "mean" over all real tokens, special ones too (XTREME), or "cls". Default: the model's own.
        max_length: sub-words of a sentence, special tokens included; what lies behind is not read.
        batch_tokens: tokens of a batch, padding included.

    Returns:
        (N, E) float32, not normalised.

    Raises:
        InputError: texts that are no list of strings, or no such layer.

    Examples:
        >>> from modeling_dlfa import DLFAModel, sentence_vectors
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> tokenizer, model = AutoTokenizer.from_pretrained(name), DLFAModel.from_encoder(name, fusion="none")
        >>> vectors = sentence_vectors(model, tokenizer, ["Hello", "Hallo"], layer=8, pooling="mean")
        >>> vectors.shape == (2, model.config.hidden_size)
        True
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"sentence_vectors(): expected a list of texts, found {str(texts)[:60]!r}")
    inputs = tokenizer(list(texts), truncation=True, max_length=max_length, padding=False) if len(texts) else {}
    names = [name for name in tokenizer.model_input_names if name in inputs]
    rows = [dict(zip(names, values)) for values in zip(*(inputs[name] for name in names))]
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]["input_ids"]))
    base: DLFAModel = model.base_model

    def padded(batch: Sequence[int]) -> Mapping[str, torch.Tensor]:
        return tokenizer.pad([rows[order[place]] for place in batch], return_tensors="pt")

    lengths = [len(rows[row]["input_ids"]) for row in order]
    found = pooled_layers(base, lengths, padded, [layer], pooling or base.config.pooling, batch_tokens)[layer]
    vectors = np.empty_like(found)
    vectors[order] = found
    return vectors.astype(np.float32, copy=False)


@torch.no_grad()
def pooled_layers(
    model: DLFAModel,
    lengths: Sequence[int],
    padded: Callable[[Sequence[int]], Mapping[str, torch.Tensor]],
    layers: Iterable[Layer],
    pooling: str,
    batch_tokens: int = BATCH_TOKENS,
    autocast: torch.dtype | None = None,
    store: type[np.floating] = np.float32,
    after: Callable[[int], Any] | None = None,
    shares: Shares = ALONE,
) -> dict[Layer, np.ndarray]:
    """Vectors of all rows in several layers, by one pass over them.

    Args:
        model: in evaluation mode.
        lengths: sub-words of each row; least is padded where they are sorted.
        padded: the model inputs of rows, given by number, as a padded batch.
        layers: `FUSED`, or indices into the encoder's `hidden_states`.
        pooling: "mean" or "cls".
        batch_tokens: tokens of a batch, padding included.
        autocast: precision to compute in; default: the model's.
        store: type of the numbers that come back. In 16 bits, which end at 65,504, rows with larger numbers than 1
            are scaled: that leaves cosines as they are.
        after: is told the rows of every batch that is done, here or in another process.
        shares: of several processes, which batches this one reads; all get the vectors of all rows.

    Returns:
        layer -> (N, E), in the order of the rows, the same numbers for any number of processes.

    Raises:
        InputError: the encoder has no such layer, or states that are not finite.
    """
    layers = list(layers)
    depth = model.config.num_hidden_layers
    for layer in layers:
        if layer != FUSED and layer not in range(depth + 1):
            raise InputError(f"layer {layer!r}: expected {FUSED!r}, or 0 (embeddings) to {depth}")
    shape = (len(lengths), model.config.hidden_size)
    vectors = {layer: np.zeros(shape, store) for layer in layers}
    failed = np.zeros((shares.processes, len(layers)), np.uint8)  # where states are not finite: all have to know
    numbered = any(layer != FUSED for layer in layers)
    device = model.device
    for number, (start, end) in enumerate(token_batches(lengths, batch_tokens)):
        if failed.any():
            break
        if shares.own(number):
            batch = {name: values.to(device) for name, values in padded(range(start, end)).items()}
            mask = batch["attention_mask"]
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                # All of them, since to some encoders a list of layers means others before Transformers 5.23.
                outputs: Any = model(**batch, output_hidden_states=numbered, return_dict=True)
            for place, layer in enumerate(layers):
                states = outputs.last_hidden_state if layer == FUSED else outputs.hidden_states[layer]
                found = pooled(states.float(), mask, pooling)
                failed[shares.rank, place] = not found.isfinite().all()
                if store is np.float16:
                    found = found / found.abs().amax(dim=-1, keepdim=True).clamp(min=1)
                vectors[layer][start:end] = found.cpu().numpy()
        if after is not None:
            after(end - start)
    for array in (failed, *vectors.values()):
        shares.add_up(array)
    if failed.any():
        layer = layers[int(np.flatnonzero(failed.any(axis=0))[0])]
        raise InputError(f"layer {layer!r}: its states are not finite{_advice(autocast)}")
    return vectors


def _advice(autocast: torch.dtype | None) -> str:
    """What to do about states that are not finite."""
    return (
        ": leave out --fp16, or give --bf16" if autocast is torch.float16 else ": look at the weights of the encoder"
    )
