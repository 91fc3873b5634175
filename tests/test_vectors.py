"""Vectors of sentences: which states they are made of, in every family, however rows are put into batches."""

import numpy as np
import pytest
import torch

from modeling_dlfa import DLFAModel
from modeling_dlfa.errors import InputError
from modeling_dlfa.vectors import ALONE, Shares, pooled_layers, sentence_vectors


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_encoder)


def model_of(folder: str, **changes) -> DLFAModel:
    return DLFAModel.from_encoder(folder, **changes).eval()


TEXTS = ["v0 d1 o2", "a b c d e f g h", "no", "well yes v5 n3 o1 p2"]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_vectors_are_pooled_states_of_the_layer(tiny_encoder, tokenizer, layer, pooling):
    model = model_of(tiny_encoder, fusion="none")
    found = sentence_vectors(model, tokenizer, TEXTS, layer=layer, pooling=pooling, batch_tokens=16)
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[layer][0]
        expected = states.mean(dim=0) if pooling == "mean" else states[0]
        assert np.allclose(vector, expected.numpy(), atol=1e-5)
    assert found.dtype == np.float32


def test_what_is_fused_is_the_models_own_by_default(tiny_encoder, tokenizer):
    whole, last = (model_of(tiny_encoder, fusion=name, pooling="mean") for name in ("layer", "none"))
    k = sentence_vectors(whole, tokenizer, TEXTS)
    assert np.allclose(k, sentence_vectors(last, tokenizer, TEXTS, layer=2), atol=1e-5)
    assert np.allclose(
        sentence_vectors(last, tokenizer, TEXTS), sentence_vectors(last, tokenizer, TEXTS, layer=3), atol=1e-5
    )
    assert sentence_vectors(last, tokenizer, []).shape == (0, 32)


@pytest.mark.parametrize(
    ("texts", "layer", "says"),
    [
        ("one text", "fused", "expected a list of texts, found 'one text'"),
        (["a", 1], "fused", "expected a list of texts"),
        (["a"], 4, "layer 4: expected 'fused', or 0 (embeddings) to 3"),
        (["a"], "last", "layer 'last': expected 'fused'"),
    ],
)
def test_wrong_inputs(tiny_encoder, tokenizer, texts, layer, says):
    with pytest.raises(InputError) as error:
        sentence_vectors(model_of(tiny_encoder, fusion="none"), tokenizer, texts, layer=layer)
    assert says in str(error.value)


def test_all_layers_in_one_pass_are_those_of_each_alone(encoder_folder, family):
    """The last is what a model without fusion makes, also where an encoder ends in a norm; padding says nothing."""
    ids = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 1, 1, 1], [12, 13, 14, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])

    def padded(batch):
        rows = list(batch)
        return {"input_ids": ids[rows], "attention_mask": mask[rows]}

    fused, last = (model_of(encoder_folder(family), fusion=fusion) for fusion in ("layer", "none"))
    lengths = [5, 2, 3]
    together = pooled_layers(fused, lengths, padded, [0, 1, 2, 3, "fused"], "mean", batch_tokens=100)
    alone = pooled_layers(last, lengths, lambda batch: padded(batch), ["fused"], "mean", batch_tokens=5)
    assert np.allclose(together[3], alone["fused"], atol=1e-4)
    assert np.allclose(together[2], together["fused"], atol=1e-6)
    assert not np.allclose(together[1], together[2], atol=1e-2)


@pytest.mark.parametrize(("factor", "says"), [(1e6, None), (float("inf"), "layer 0: its states are not finite")])
def test_large_states_fit_into_16_bits(tiny_encoder, tokenizer, factor: float, says: str | None):
    model = model_of(tiny_encoder, fusion="none")
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")

    def read(store: type[np.floating]) -> np.ndarray:
        return pooled_layers(model, [1] * len(TEXTS), lambda _: batch, [0], "mean", store=store)[0]

    norm = model.encoder.embeddings.LayerNorm
    norm.register_forward_hook(lambda module, inputs, output: output * factor)
    if says is not None:
        with pytest.raises(InputError, match=says):
            read(np.float16)
        return
    whole, half = (read(store).astype(np.float64) for store in (np.float32, np.float16))
    assert np.isfinite(half).all() and np.abs(whole).max() > 65504
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (whole, half)]
    assert np.allclose(*unit, atol=1e-3)


@pytest.mark.parametrize("store", [np.float32, np.float16])
def test_processes_read_batches_of_their_own(tiny_encoder, store):
    """Their sum is bit for bit what one process finds."""
    ids = torch.randint(2, 20, (7, 6), generator=torch.Generator().manual_seed(0))
    model, read = model_of(tiny_encoder, fusion="none"), []

    def padded(batch):
        read.append(list(batch))
        return {"input_ids": ids[list(batch)], "attention_mask": torch.ones(len(batch), 6, dtype=torch.long)}

    def vectors(shares: Shares):
        told.clear()
        return pooled_layers(model, [6] * 7, padded, [1, "fused"], "mean", 12, None, store, told.append, shares)

    told: list[int] = []
    alone = vectors(ALONE)
    assert read == [[0, 1], [2, 3], [4, 5], [6]] and sum(told) == 7
    first, second, last = (vectors(Shares(rank, 3)) for rank in range(3))
    assert read[4:] == [[0, 1], [6], [2, 3], [4, 5]] and sum(told) == 7
    for layer, whole in alone.items():
        assert whole.dtype == store
        assert np.array_equal(first[layer] + second[layer] + last[layer], whole)


def test_states_that_are_not_finite_are_known_to_all_processes(tiny_encoder):
    model = model_of(tiny_encoder, fusion="none")

    def padded(batch):
        return {name: torch.ones(len(batch), 3, dtype=torch.long) for name in ("input_ids", "attention_mask")}

    def others_failed(array: np.ndarray):
        if array.dtype == np.uint8:
            assert not array.any() and array.shape == (257, 2), "a row for each: a sum of bytes would wrap"
            array[1:, 1] += 1

    with pytest.raises(InputError, match="^layer 'fused': its states are not finite"):
        pooled_layers(model, [3, 3], padded, [1, "fused"], "mean", 3, shares=Shares(0, 257, others_failed))
    torch.nn.init.constant_(next(model.encoder.parameters()), torch.nan)
    added: list[np.ndarray] = []
    with pytest.raises(InputError, match="^layer 1: its states are not finite"):
        pooled_layers(model, [3, 3], padded, [1, "fused"], "mean", 3, shares=Shares(0, 2, added.append))
    assert len(added) == 3, "the others would wait"
