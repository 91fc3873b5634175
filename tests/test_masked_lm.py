"""The model that guesses hidden words: what differs from the other heads, which `test_modeling_dlfa` looks at."""

from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForMaskedLM

from modeling_dlfa import DLFAConfig, DLFAForMaskedLM, DLFAForTokenClassification
from modeling_dlfa.known_states import reading_states
from tests.test_modeling_dlfa import VARIANTS, by_variant, close, load_with_info, randomize, same_weights


WORDS = 64
# The width of the word embeddings where it is not that of the states.
WIDTHS = {"rembert": 16, "electra": 16}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def build(encoder_config, **kwargs) -> Any:
    """A model in evaluation mode, with random weights beside the encoder."""
    model = DLFAForMaskedLM(DLFAConfig(encoder_config=encoder_config, **kwargs)).eval()
    for part in (model.dlfa.fusion, model.dlfa.input_norm, model.lm_head):
        if part is not None:
            randomize(part)
    return model


def batch(rows: int = 3, length: int = 9) -> dict[str, torch.Tensor]:
    """Random token ids (B, T), the last rows padded."""
    inputs = {"input_ids": torch.randint(5, WORDS, (rows, length)), "attention_mask": torch.ones(rows, length).long()}
    inputs["attention_mask"][1:, 6:] = 0
    return inputs


def some_labels(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Labels (B, T) of a few tokens, of one row none."""
    labels = torch.full_like(inputs["input_ids"], -100)
    for row, place in ((0, 2), (0, 7), (1, 5)):
        labels[row, place] = inputs["input_ids"][row, place]
    return labels


def shared(model: Any) -> bool:
    return model.decoder.weight is model.get_input_embeddings().weight


@by_variant
@torch.no_grad()
def test_a_state_is_compared_with_the_words(family, variant, tiny_config):
    model = build(tiny_config(family), **VARIANTS[variant])
    inputs = batch()
    head = model.lm_head
    hidden = head.norm(F.gelu(head.dense(model.dlfa(**inputs).last_hidden_state)))
    expected = hidden @ model.get_input_embeddings().weight.T + head.bias
    logits = model(**inputs).logits
    assert logits.shape == (3, 9, WORDS) and logits.std() > 0.01
    assert hidden.shape[-1] == WIDTHS.get(family, 32)
    close(logits, expected)


@pytest.mark.parametrize("items", [None, 7])
def test_logits_are_made_where_they_are_asked_for_and_the_loss_is_the_plain_one(tiny_config, items, family):
    """In training of tokens with labels alone, or of those that are named, with the same gradients."""
    config = tiny_config(family)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    model = build(config)
    inputs = batch()
    labels = some_labels(inputs)
    positions = torch.tensor([[2, 7], [5, -1], [-1, -1]])
    of_positions = labels.gather(1, positions.clamp(min=0)).masked_fill(positions < 0, -100)
    plain = model(**inputs)
    expected = F.cross_entropy(plain.logits.flatten(0, 1), labels.flatten(), reduction="sum") / (items or 3)
    shapes, gradients = [], []
    for train, given in (
        (False, {"labels": labels}),
        (True, {"labels": labels}),
        (True, {"labels": of_positions, "masked_positions": positions}),
        (False, {"labels": of_positions, "masked_positions": positions}),
    ):
        model.train(train).zero_grad()
        output = model(**inputs, **given, num_items_in_batch=items)
        output.loss.backward()
        close(output.loss.detach(), expected.detach())
        shapes.append(tuple(output.logits.shape))
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    assert shapes == [(3, 9, WORDS), (3, WORDS), (3, 2, WORDS), (3, 2, WORDS)]
    for others in gradients[1:]:
        assert len(others) == len(gradients[0]) > 10
        for one, other in zip(gradients[0], others, strict=True):
            close(other, one, 1e-4)
    real = positions >= 0
    close(output.logits[real], plain.logits[labels != -100])


@torch.no_grad()
def test_padding_changes_nothing(family, tiny_config):
    model = build(tiny_config(family))
    inputs = batch()
    alone = model(**{name: values[1:, :6] for name, values in inputs.items()}).logits
    close(model(**inputs).logits[1:, :6], alone)


@torch.no_grad()
def test_the_decoder_shares_the_words_and_is_saved_once(family, tiny_config, tmp_path):
    model = build(tiny_config(family))
    (target, source) = next(iter(model.all_tied_weights_keys.items()))
    assert shared(model) and target == "decoder.weight" and source.startswith("dlfa.encoder.")
    assert sum(parameter is model.decoder.weight for parameter in model.parameters()) == 1
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert source in saved and target not in saved
    inputs = batch()
    for auto in (DLFAForMaskedLM, AutoModelForMaskedLM):
        opened, info = load_with_info(auto, tmp_path)
        assert type(opened) is DLFAForMaskedLM and not info["missing_keys"] and shared(opened)
        same_weights(opened, model)
        assert torch.equal(opened(**inputs).logits, model(**inputs).logits)


def test_a_new_head_leaves_the_encoder_as_it_is(family, tiny_config, tmp_path):
    """Whatever is tied: the embeddings are those of the checkpoint, and the head's start is that of the seed."""
    encoder = AutoModel.from_config(tiny_config(family))
    encoder.save_pretrained(tmp_path)
    heads = []
    for _ in range(2):
        torch.manual_seed(3)
        model: Any = DLFAForMaskedLM.from_encoder(str(tmp_path), fusion="none")
        assert shared(model) and torch.equal(model.decoder.weight, encoder.get_input_embeddings().weight)
        assert not model.lm_head.bias.any() and 0.1 < model.lm_head.dense.weight.std() < 0.3
        heads.append(model.lm_head.state_dict())
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])


@torch.no_grad()
def test_a_decoder_of_its_own(tiny_config, tmp_path):
    model = build(tiny_config(), tie_word_embeddings=False)
    assert not shared(model) and model.all_tied_weights_keys == {} and model.decoder.weight.std() > 0.1
    model.save_pretrained(tmp_path)
    opened: Any = DLFAForMaskedLM.from_pretrained(tmp_path)
    assert not shared(opened) and opened.config.tie_word_embeddings is False
    same_weights(opened, model)
    AutoModel.from_config(tiny_config()).save_pretrained(tmp_path / "encoder")
    started: Any = DLFAForMaskedLM.from_encoder(str(tmp_path / "encoder"), fusion_layer=1, tie_word_embeddings=False)
    assert not shared(started) and started.config.tie_word_embeddings is False


@pytest.mark.parametrize("words", [70, 50])
@torch.no_grad()
def test_words_can_be_added_and_taken_away(family, words, tiny_config, tmp_path):
    model = build(tiny_config(family))
    inputs = {**batch(), "input_ids": torch.randint(5, 50, (3, 9))}
    before = model(**inputs).logits
    model.resize_token_embeddings(words)
    after = model(**inputs).logits
    kept = min(words, WORDS)
    assert shared(model) and after.shape[-1] == words == model.config.vocab_size == len(model.lm_head.bias)
    close(after[..., :kept], before[..., :kept])
    assert not model.lm_head.bias[kept:].any()
    model.save_pretrained(tmp_path)
    close(DLFAForMaskedLM.from_pretrained(tmp_path)(**inputs).logits, after)  # pyright: ignore[reportCallIssue]


@torch.no_grad()
def test_heads_open_each_others_checkpoints(tiny_config, tmp_path):
    model: Any = DLFAForTokenClassification(DLFAConfig(encoder_config=tiny_config()))
    model.save_pretrained(tmp_path / "tags")
    opened, info = load_with_info(DLFAForMaskedLM, tmp_path / "tags")
    assert {name.split(".")[0] for name in info["missing_keys"]} == {"lm_head"} and shared(opened)
    same_weights(opened.dlfa, model.dlfa)
    opened.save_pretrained(tmp_path / "words")
    again, _ = load_with_info(DLFAForTokenClassification, tmp_path / "words")
    same_weights(again.dlfa, model.dlfa)


@torch.no_grad()
def test_reads_known_states(family, tiny_config):
    """Without an encoder the decoder takes no room until it is given one."""
    model = build(tiny_config(family), fusion_layer=1)
    inputs = batch()
    states = model.dlfa.encoder(**inputs, output_hidden_states=True).hidden_states
    twin = reading_states(DLFAForMaskedLM, model.config)
    assert twin.decoder.weight.is_meta
    twin.dlfa.fusion, twin.lm_head, twin.decoder = model.dlfa.fusion, model.lm_head, model.decoder
    logits = twin.eval()(states=states, attention_mask=inputs["attention_mask"]).logits
    close(logits, model(**inputs).logits)


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert"])
@torch.no_grad()
def test_compiles_and_exports(family, tiny_config):
    model = build(tiny_config(family))
    inputs = {**batch(), "masked_positions": torch.tensor([[2, 7], [5, -1], [-1, -1]])}
    expected = model(**inputs).logits
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    close(compiled(**inputs).logits, expected)
    close(torch.export.export(model, (), inputs).module()(**inputs).logits, expected)


@pytest.mark.parametrize("items", [None, 0, 3])
@pytest.mark.parametrize("training", [False, True])
def test_a_batch_in_which_no_word_is_hidden_changes_nothing(items, training, tiny_config):
    model, inputs = build(tiny_config()).train(training), batch()
    loss = model(**inputs, labels=torch.full_like(inputs["input_ids"], -100), num_items_in_batch=items).loss
    loss.backward()
    assert loss == 0
    assert all(not grad.any() for grad in (parameter.grad for parameter in model.parameters()) if grad is not None)
