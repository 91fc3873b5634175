"""The model with scores of choices: what differs from the other heads, which `test_modeling_dlfa` looks at."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForMultipleChoice

from modeling_dlfa import DLFAConfig, DLFAForMultipleChoice, DLFAForSequenceClassification
from tests.test_modeling_dlfa import VARIANTS, by_variant, close, load_with_info, randomize, same_weights


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def build(encoder_config, **kwargs) -> Any:
    """A model in evaluation mode, with random weights beside the encoder."""
    model = DLFAForMultipleChoice(DLFAConfig(encoder_config=encoder_config, **kwargs)).eval()
    for part in (model.dlfa.fusion, model.dlfa.input_norm, model.choice_scorer):
        if part is not None:
            randomize(part)
    return model


def batch(lengths=((5, 9, 7), (8, 4)), choices=None, width=None, left=False) -> dict[str, torch.Tensor]:
    """Random token ids (B, C, T): of each row the lengths of its choices, padded to the most and the longest."""
    choices = choices or max(map(len, lengths))
    width = width or max(map(max, lengths))
    ids = torch.full((len(lengths), choices, width), 1)
    mask = torch.zeros(len(lengths), choices, width, dtype=torch.long)
    for row, of_row in enumerate(lengths):
        for choice, length in enumerate(of_row):
            places = slice(width - length, width) if left else slice(length)
            ids[row, choice, places] = torch.randint(5, 64, (length,))
            mask[row, choice, places] = 1
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.crossed("family", "variant")
@by_variant
@torch.no_grad()
def test_a_choice_is_scored_as_a_sequence(family, variant, tiny_config):
    model = build(tiny_config(family), **VARIANTS[variant])
    own: dict[str, Any] = {**VARIANTS[variant], "num_labels": 1}
    classifier: Any = DLFAForSequenceClassification(DLFAConfig(encoder_config=tiny_config(family), **own)).eval()
    classifier.dlfa.load_state_dict(model.dlfa.state_dict())
    classifier.classifier.load_state_dict(model.choice_scorer.state_dict())
    inputs = batch(((5, 9, 7), (8, 4, 6)))
    flat = {name: values.flatten(0, 1) for name, values in inputs.items()}
    logits = model(**inputs).logits
    assert logits.shape == (2, 3) and logits.std() > 0.01
    close(logits, classifier(**flat).logits.view(2, 3))


@pytest.mark.crossed("family", "variant")
@by_variant
@torch.no_grad()
def test_padding_changes_nothing(family, variant, tiny_config):
    model = build(tiny_config(family), **VARIANTS[variant])
    inputs = batch()
    padded = batch(choices=5, width=14)
    for name, values in inputs.items():
        padded[name][:, :3, :9] = values
    expected, actual = model(**inputs).logits, model(**padded).logits
    close(actual[:, :3], expected)
    lowest = torch.finfo(torch.float32).min
    assert (actual[:, 3:] == lowest).all() and expected[1, 2] == lowest
    alone = model(**{name: values[1:, :2, :8] for name, values in inputs.items()}).logits
    close(alone, expected[1:, :2])


@pytest.mark.crossed("family", "variant", "attention")
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("variant", ["aif", "aif-batch", "dwatt", "aif-standard", "none"])
def test_padding_changes_no_training_step(family, variant, attention, tiny_config):
    """Neither the gradients nor the statistics of a batch norm."""
    found = []
    for choices in (3, 5):
        torch.manual_seed(0)
        config = tiny_config(family, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        for name in ("dropout", "attention_dropout", "classifier_dropout", "embedding_dropout", "mlp_dropout"):
            if hasattr(config, name):
                setattr(config, name, 0.0)
        try:
            model = build(config, classifier_dropout=0.0, attn_implementation=attention, **VARIANTS[variant]).train()
        except ValueError:
            pytest.skip(f"{family} has no {attention}")
        torch.manual_seed(0)
        output = model(**batch(choices=choices), labels=torch.tensor([2, 1]))
        output.loss.backward()
        grads = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
        found.append((output.loss.detach(), grads, dict(model.named_buffers())))
    (loss, grads, buffers), (padded_loss, padded_grads, padded_buffers) = found
    close(padded_loss, loss)
    assert grads.keys() == padded_grads.keys() and len(grads) > 10
    for name, gradient in grads.items():
        close(padded_grads[name], gradient, 1e-4)
    for name, buffer in buffers.items():
        close(padded_buffers[name], buffer)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@torch.no_grad()
def test_padding_may_stand_on_the_left(family, pooling, tiny_config):
    model = build(tiny_config(family), pooling=pooling)
    found = []
    for left in (False, True):
        torch.manual_seed(1)
        found.append(model(**batch(left=left, width=12)).logits)
    close(found[1], found[0])


@torch.no_grad()
def test_loss(tiny_config):
    model = build(tiny_config())
    inputs, labels = batch(), torch.tensor([2, 0])
    output = model(**inputs, labels=labels)
    close(output.loss, F.cross_entropy(output.logits, labels))
    close(model(**inputs, labels=labels, num_items_in_batch=8).loss, output.loss * 2 / 8)
    close(model(**inputs, labels=torch.tensor([2, -100])).loss, F.cross_entropy(output.logits[:1], labels[:1]))


@torch.no_grad()
def test_inputs_embeds_replace_input_ids(family, tiny_config):
    model = build(tiny_config(family))
    inputs = batch()
    embeds = model.get_input_embeddings()(inputs["input_ids"])
    close(model(inputs_embeds=embeds, attention_mask=inputs["attention_mask"]).logits, model(**inputs).logits)


@torch.no_grad()
def test_states_are_those_of_all_sequences(tiny_config):
    model = build(tiny_config(), attn_implementation="eager")
    output = model(**batch(), output_hidden_states=True, output_attentions=True, output_fusion=True)
    assert len(output.hidden_states) == 4 and output.hidden_states[0].shape == (6, 9, 32)
    assert output.attentions[0].shape == (6, 4, 9, 9)
    for name in ("layer_state", "gate", "fused_state"):
        assert output[name].shape == (6, 9, 32), name


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"input_ids": torch.ones(2, 5, dtype=torch.long)}, r"input_ids of shape \(2, 5\): expected \(B, C, T\)"),
        ({"inputs_embeds": torch.ones(2, 3, 5)}, r"inputs_embeds of shape \(2, 3, 5\): expected \(B, C, T, E\)"),
        ({}, "expected exactly one of input_ids and inputs_embeds"),
        (
            {"input_ids": torch.ones(2, 3, 5, dtype=torch.long), "attention_mask": torch.ones(2, 5)},
            r"attention_mask of shape \(2, 5\): expected \(B, C, T\)",
        ),
    ],
)
def test_inputs_of_another_shape_are_refused(inputs, message, tiny_config):
    with pytest.raises(ValueError, match=message):
        build(tiny_config())(**inputs)


@torch.no_grad()
def test_saved_model_opens_the_same(family, tiny_config, tmp_path):
    model = build(tiny_config(family))
    model.save_pretrained(tmp_path)
    inputs = batch()
    for opened in (
        DLFAForMultipleChoice.from_pretrained(tmp_path),
        AutoModelForMultipleChoice.from_pretrained(tmp_path),
    ):
        assert type(opened) is DLFAForMultipleChoice
        same_weights(opened, model)
        close(opened(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize("labels", [2, 3])
def test_heads_open_each_others_checkpoints(labels, tiny_config, tmp_path):
    """Whatever the number of labels: the weights of a head that scores have a name of their own."""
    own: dict[str, Any] = {"num_labels": labels}
    config = DLFAConfig(encoder_config=tiny_config(), **own)
    model: Any = DLFAForSequenceClassification(config)
    model.save_pretrained(tmp_path)
    opened, info = load_with_info(DLFAForMultipleChoice, tmp_path)
    assert all(name.startswith("choice_scorer.") for name in info["missing_keys"])
    same_weights(opened.dlfa, model.dlfa)


@pytest.mark.parametrize("family, start", [("bert", "pooler"), ("xlm-roberta", "random")])
def test_the_head_starts_as_that_of_sequences(family, start, tiny_config, tmp_path):
    family_model: Any = AutoModelForMultipleChoice.from_config(tiny_config(family))
    family_model.save_pretrained(tmp_path)
    model = DLFAForMultipleChoice.from_encoder(str(tmp_path), pooling="cls")
    assert model.head.started_from == start
    if start == "pooler":
        assert torch.equal(model.choice_scorer.dense.weight, family_model.bert.pooler.dense.weight)


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert"])
@torch.no_grad()
def test_compiles_and_exports(family, tiny_config):
    model = build(tiny_config(family))
    inputs = batch()
    expected = model(**inputs).logits
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    close(compiled(**inputs).logits, expected)
    close(torch.export.export(model, (), inputs).module()(**inputs).logits, expected)


@torch.no_grad()
def test_an_encoder_is_never_shown_nothing(tiny_config, monkeypatch):
    """Attention to nothing is no number to some implementations."""
    model = build(tiny_config())
    seen = []
    forward = model.dlfa.encoder.forward
    monkeypatch.setattr(model.dlfa.encoder, "forward", lambda **given: seen.append(given) or forward(**given))
    inputs = batch()
    model(**inputs)
    expected = inputs["attention_mask"].flatten(0, 1)
    expected[5, 0] = 1
    assert torch.equal(seen[0]["attention_mask"], expected)
