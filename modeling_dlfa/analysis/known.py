"""What probes of words read: states of label pieces in any layer, and the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ..modeling_dlfa import DLFAPreTrainedModel
from ..tasks.encoding import BESIDE_THE_INPUTS
from ..tasks.task import Task
from ..vectors import FUSED, Layer


@dataclass(frozen=True)
class KnownSentence:
    """What a head needs of a sentence of W words, or of a pair, which counts as one word.

    Attributes:
        states: (W, E), of one layer: of the words' label pieces, or the pooled vector of the pair.
        labels: (W,) ids; for parsing (W, 2), heads and relation ids.
    """

    states: torch.Tensor
    labels: torch.Tensor


@torch.no_grad()
def known_layers(
    model: DLFAPreTrainedModel,
    task: Task,
    features: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    layers: Sequence[Layer],
    batch_size: int = 32,
) -> dict[Layer, list[KnownSentence]]:
    """Run everything through the encoder once, and keep the words' states of several layers.

    Args:
        model: with encoder and fusion, with or without a head, which is not asked.
        features: encoded rows; of a long tagged sentence there are several, which become one again.
        layers: `FUSED`, what comes out of the fusion, or indices into the encoder's `hidden_states`.

    Returns:
        layer -> the sentences in their order, with states in 32 bits: those of some layers do not fit 16.
    """
    columns = [name for name in features.column_names if name not in BESIDE_THE_INPUTS]
    inputs = features.select_columns(columns).to_list()
    lengths = features["length"][:]
    collate = task.kind.collator(tokenizer)
    order = sorted(range(len(inputs)), key=lengths.__getitem__)
    rows: dict[Layer, dict[int, KnownSentence]] = {layer: {} for layer in layers}
    base: Any = model.eval().base_model
    numbered = any(layer != FUSED for layer in layers)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        batch = {name: values.to(model.device) for name, values in collate([inputs[at] for at in places]).items()}
        outputs = base(**task.kind.encoder_inputs(batch), output_hidden_states=numbered, return_dict=True)
        for layer in layers:
            states = outputs.last_hidden_state if layer == FUSED else outputs.hidden_states[layer]
            known = [
                KnownSentence(of_row.float(), labels) for of_row, labels in task.kind.known(task, base, states, batch)
            ]
            rows[layer].update(zip(places, known, strict=True))
    if "sentence" not in features.column_names:
        return {layer: [of_layer[place] for place in range(len(inputs))] for layer, of_layer in rows.items()}
    sentences = features["sentence"][:]
    return {layer: _joined(of_layer, sentences) for layer, of_layer in rows.items()}


def _joined(rows: dict[int, KnownSentence], sentences: Sequence[int]) -> list[KnownSentence]:
    """Sentences again, of which each may have several rows."""
    parts: dict[int, list[KnownSentence]] = {}
    for place, sentence in enumerate(sentences):
        parts.setdefault(sentence, []).append(rows[place])
    return [
        KnownSentence(torch.cat([part.states for part in of_one]), torch.cat([part.labels for part in of_one]))
        for _, of_one in sorted(parts.items())
    ]
