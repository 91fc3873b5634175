import copy
import importlib.util
import io
import json
import math
import pickle
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    Trainer,
    TrainingArguments,
)
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput, TokenClassifierOutput

from modeling_dlfa import (
    DependencyParserOutput,
    DLFAConfig,
    DLFAForDependencyParsing,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAModel,
    configuration_dlfa,
)
from modeling_dlfa.configuration_dlfa import CHOICES, FUSION_READS
from modeling_dlfa.modeling_dlfa import (
    AIF,
    FUSIONS,
    ConcatFusion,
    DepthwiseAttention,
    DLFAOutput,
    LayerInput,
    MaskedBatchNorm1d,
    MixAll,
    ScalarMix,
    StandardInput,
    SumFusion,
    masked_mean,
    register_fusion,
    states_read,
)
from tests.elsewhere import run_elsewhere
from tests.marks import rest_is_slow


CLASSES = (DLFAModel, DLFAForSequenceClassification, DLFAForTokenClassification, DLFAForDependencyParsing)
HEADS = CLASSES[1:]
AUTO_CLASSES = {
    DLFAModel: AutoModel,
    DLFAForSequenceClassification: AutoModelForSequenceClassification,
    DLFAForTokenClassification: AutoModelForTokenClassification,
    DLFAForDependencyParsing: AutoModel,
}
# Families of which Transformers keeps only the hidden states asked for; the others always compute all.
SELECTIVE = ("bert", "xlm-roberta", "distilbert", "modernbert", "electra")
# Every fusion and every way to configure one that changes what it computes.
VARIANTS = {
    "aif": {},
    "aif-scale": {"aif_output": "scale"},
    "aif-batch": {"aif_norm": "batch"},
    "aif-no-norm": {"aif_norm": "none"},
    "sum": {"fusion": "sum"},
    "concat": {"fusion": "concat"},
    "scalar_mix": {"fusion": "scalar_mix"},
    "layer": {"fusion": "layer"},
    "none": {"fusion": "none"},
    "mix_all": {"fusion": "mix_all"},
    "dwatt": {"fusion": "dwatt"},
    "aif_last": {"fusion": "aif_last"},
    "aif_layer": {"fusion": "aif_layer"},
    "aif-layers": {"fusion_layer": [0, 2]},
    "aif-standard": {"input_norm": "standard"},
    "dwatt-layer-norm": {"fusion": "dwatt", "input_norm": "layer"},
    "none-standard": {"fusion": "none", "input_norm": "standard"},
}
by_class = pytest.mark.parametrize("model_class", CLASSES, ids=lambda c: c.__name__)
by_head = pytest.mark.parametrize("head", HEADS, ids=lambda c: c.__name__)
by_token_head = pytest.mark.parametrize("head", HEADS[1:], ids=lambda c: c.__name__)
by_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randomize(module: nn.Module) -> Any:
    """Fill every weight and statistic, so that none is at a value which hides what it does."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                factor = name.endswith(("running_var", "std", "scale"))
                tensor.uniform_(0.5, 1.5) if factor else tensor.normal_(std=0.3)
    return module


def build(model_class, encoder_config, **kwargs) -> Any:
    """A model in evaluation mode, whose fusion, norms before it and head (not the encoder) have random weights."""
    arguments = {"num_labels": 3, "parser_arc_size": 12, "parser_relation_size": 6, **kwargs}
    model = model_class(DLFAConfig(encoder_config=encoder_config, **arguments)).eval()
    for name, module in model.named_modules():
        if name.split(".")[-1] in ("fusion", "input_norm", "classifier", "parser"):
            randomize(module)
    return model


def to_fuse(model, states) -> tuple[torch.Tensor, Any]:
    """x and y as the model has to fuse them, from the encoder's states."""
    config, norm, states = model.config, model.input_norm, [*states]
    for row, k in enumerate(states_read(config)):
        if config.input_norm == "standard":
            states[k] = (states[k] - norm.mean[row]) / norm.std[row]
        elif config.input_norm == "layer":
            states[k] = F.layer_norm(states[k], (32,), norm.norms[row].weight, norm.norms[row].bias)
    if config.fusion in ("none", "aif_last"):
        return states[3], None
    if config.fusion in ("mix_all", "dwatt"):
        return states[3], tuple(states)
    layers = config.fusion_layer if isinstance(config.fusion_layer, list) else [config.fusion_layer]
    return states[3], sum(states[k] for k in layers) / len(layers)


def load_with_info(model_class, folder) -> Any:
    return model_class.from_pretrained(folder, output_loading_info=True)


def batch(lengths=(5, 9, 7), width=None) -> dict[str, torch.Tensor]:
    """Random token ids (B, T), padded to the longest or to `width`, and their mask."""
    width = width or max(lengths)
    input_ids = torch.full((len(lengths), width), 1)
    mask = torch.zeros(len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        input_ids[row, :length] = torch.randint(5, 64, (length,))
        mask[row, :length] = 1
    return {"input_ids": input_ids, "attention_mask": mask}


def batch_for(model_class, lengths=(5, 9, 7), labelled=False) -> dict[str, torch.Tensor]:
    """A batch as `batch`; a parser's words are the tokens between the first and the last. Labels: three classes."""
    inputs = batch(lengths)
    rows, width = inputs["input_ids"].shape
    sizes = {DLFAForSequenceClassification: (rows,), DLFAForTokenClassification: (rows, width)}
    if model_class is DLFAForDependencyParsing:
        inputs["word_positions"] = torch.full((rows, width - 2), -1)
        for row, length in enumerate(lengths):
            inputs["word_positions"][row, : length - 2] = torch.arange(1, length - 1)
        if labelled:
            heads = torch.stack([torch.randint(0, length - 1, (width - 2,)) for length in lengths])
            inputs["labels"] = torch.stack((heads, torch.randint(0, 3, heads.shape)), dim=-1)
            inputs["labels"][inputs["word_positions"] < 0] = -100
    elif labelled and model_class is not DLFAModel:
        inputs["labels"] = torch.randint(0, 3, sizes[model_class])
    return inputs


def logits_of(outputs) -> torch.Tensor:
    """The scores of classes; a parser's of relations."""
    return outputs.relation_logits if "relation_logits" in outputs else outputs.logits


def close(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def same_weights(actual: nn.Module, expected: nn.Module):
    actual_state, expected_state = actual.state_dict(), expected.state_dict()
    assert actual_state.keys() == expected_state.keys()
    for name, tensor in expected_state.items():
        assert torch.equal(actual_state[name], tensor), name


# ---------------------------------------------------------------------------------------------------------------------
# Fusions
# ---------------------------------------------------------------------------------------------------------------------


def test_none_is_the_plain_encoder(family, encoder_folder):
    inputs = batch()
    expected = AutoModel.from_pretrained(encoder_folder(family))(**inputs).last_hidden_state
    model = DLFAModel.from_encoder(encoder_folder(family), fusion="none")
    assert torch.equal(model(**inputs).last_hidden_state, expected)


def test_statistics_that_are_not_known_yet_change_nothing(family, encoder_folder):
    inputs = batch()
    expected = AutoModel.from_pretrained(encoder_folder(family))(**inputs).last_hidden_state
    model = DLFAModel.from_encoder(encoder_folder(family), fusion="none", input_norm="standard")
    assert torch.equal(model(**inputs).last_hidden_state, expected)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_layer_is_one_hidden_state(family, k, encoder_folder):
    inputs = batch()
    states = AutoModel.from_pretrained(encoder_folder(family))(**inputs, output_hidden_states=True).hidden_states
    model = DLFAModel.from_encoder(encoder_folder(family), fusion="layer", fusion_layer=k)
    assert torch.equal(model(**inputs).last_hidden_state, states[k])
    assert not torch.allclose(states[k], states[3], atol=0.1)


@pytest.mark.crossed("family", "variant", "k")
@pytest.mark.parametrize("k", [0, 2])
@by_variant
def test_the_model_fuses_layer_k_with_the_last(family, variant, k, tiny_config):
    """Whatever the fusion computes, x, y and the mask that it gets are the right ones."""
    model = build(DLFAModel, tiny_config(family), **{"fusion_layer": k, **VARIANTS[variant]})
    inputs = batch()
    states = model.encoder(**inputs, output_hidden_states=True).hidden_states
    expected = model.fusion(*to_fuse(model, states), inputs["attention_mask"])
    close(model(**inputs).last_hidden_state, expected)


def convolution(linear: nn.Linear) -> nn.Conv1d:
    """The pointwise convolution over (B, C, T) with the weights of a linear map."""
    conv = nn.Conv1d(linear.in_features, linear.out_features, kernel_size=1)
    conv.weight.data = linear.weight.data.unsqueeze(-1)
    conv.bias.data = linear.bias.data  # pyright: ignore
    return conv


def branch_by_convolutions(branch: Any, states: torch.Tensor, norm: str, activation) -> torch.Tensor:
    """One branch of MS-CAM as it is published: (B, E, T) -> (B, E, T)."""
    hidden = convolution(branch.reduce)(states)
    if norm == "batch":
        batch_norm = nn.BatchNorm1d(hidden.shape[1]).eval()
        batch_norm.load_state_dict(branch.norm.state_dict())
        hidden = batch_norm(hidden)
    elif norm == "layer":
        hidden = (hidden - hidden.mean(1, keepdim=True)) / (hidden.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        hidden = hidden * branch.norm.weight[:, None] + branch.norm.bias[:, None]
    return convolution(branch.expand)(activation(hidden))


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
@pytest.mark.parametrize("output", ["gate", "scale"])
@torch.no_grad()
def test_aif_formula(output, norm, activation, tiny_config):
    config = DLFAConfig(
        encoder_config=tiny_config(), aif_output=output, aif_norm=norm, aif_activation=activation, aif_reduction=2
    )
    fusion = randomize(AIF(config)).eval()
    assert fusion.local_branch.reduce.out_features == 16
    lengths = (5, 9, 7)
    mask = batch(lengths)["attention_mask"]
    x, y = torch.randn(2, 3, 9, 32)
    z = fusion(x, y, mask)
    for row, length in enumerate(lengths):
        # One sentence alone, channels before tokens: (1, E, length).
        last, lower = (states[row, :length].T.unsqueeze(0) for states in (x, y))
        both = last + lower
        local_view = branch_by_convolutions(fusion.local_branch, both, norm, getattr(F, activation))
        average = F.adaptive_avg_pool1d(both, 1)
        global_view = branch_by_convolutions(fusion.global_branch, average, norm, getattr(F, activation))
        w = 1 / (1 + torch.exp(-(local_view + global_view)))
        expected = w * last + (1 - w) * lower if output == "gate" else w * both
        close(z[row, :length], expected[0].T)
        close(fusion.weights(x, y, mask)[row, :length], w[0].T)
        assert w.std() > 0.05


@torch.no_grad()
def test_formulas_of_the_other_fusions(tiny_config):
    config = DLFAConfig(encoder_config=tiny_config())
    x, y = torch.randn(2, 3, 9, 32)
    mask = batch()["attention_mask"]
    assert torch.equal(SumFusion(config)(x, y, mask), x + y)
    concat = randomize(ConcatFusion(config))
    weight, bias = concat.projection.weight, concat.projection.bias
    close(concat(x, y, mask), x @ weight[:, :32].T + y @ weight[:, 32:].T + bias)
    mix = ScalarMix(config)
    mix.logit.fill_(0.7)
    mix.scale.fill_(1.3)
    share = torch.softmax(torch.tensor([0.7, 0.0]), dim=0)
    close(mix(x, y, mask), 1.3 * (share[0] * x + share[1] * y))


@torch.no_grad()
def test_mix_of_all_states(tiny_config):
    states = torch.randn(4, 3, 9, 32)
    x, y, mask = states[3], tuple(states), batch()["attention_mask"]
    mix = MixAll(DLFAConfig(encoder_config=tiny_config(), fusion="mix_all"))
    logits = torch.tensor([0.3, -1.2, 0.8, 0.1])
    mix.lower_logits.copy_(logits[:3])
    mix.last_logit.copy_(logits[3])
    mix.scale.fill_(1.3)
    close(mix(x, y, mask), 1.3 * torch.einsum("l,lbte->bte", logits.softmax(0), states))
    mix.scale.fill_(1.0)
    for k in range(4):
        logits = 1000.0 * F.one_hot(torch.tensor(k), 4)
        mix.lower_logits.copy_(logits[:3])
        mix.last_logit.copy_(logits[3])
        assert torch.equal(mix(x, y, mask), states[k])


@torch.no_grad()
def test_depthwise_attention_formula(tiny_config):
    states = torch.randn(4, 3, 9, 32)
    config = DLFAConfig(encoder_config=tiny_config(), fusion="dwatt", aif_reduction=2, aif_activation="gelu")
    fusion: Any = randomize(DepthwiseAttention(config))
    queries = fusion.query(fusion.norm(states[3]))
    assert queries.shape == (3, 9, 16)
    hidden = [F.gelu(one.reduce(one.norm(state))) for one, state in zip(fusion.states, states)]
    keys = torch.stack([one.key(h) for one, h in zip(fusion.states, hidden)], dim=2)  # (B, T, L + 1, E/r)
    values = torch.stack([one.value(h) for one, h in zip(fusion.states, hidden)], dim=2)
    attended = F.scaled_dot_product_attention(queries.unsqueeze(2), keys, values).squeeze(2)
    close(fusion(states[3], tuple(states), batch()["attention_mask"]), states[3] + attended)
    assert attended.std() > 0.05


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
@pytest.mark.parametrize("fusion", ["aif_last", "aif_layer"])
@torch.no_grad()
def test_controls_are_aif_on_one_state(fusion, norm, tiny_config):
    """The same parameters, and on equal inputs the same as AIF that scales; with the gate AIF would change nothing."""
    config = DLFAConfig(encoder_config=tiny_config(), aif_output="scale", aif_norm=norm)
    aif = randomize(AIF(config)).eval()
    control = FUSIONS[fusion](DLFAConfig(encoder_config=tiny_config(), fusion=fusion, aif_norm=norm)).eval()
    control.load_state_dict(aif.state_dict())
    x, y = torch.randn(2, 3, 9, 32)
    read, mask = x if fusion == "aif_last" else y, batch()["attention_mask"]
    z, w = control(x, None if fusion == "aif_last" else y, mask, output_gate=True)
    assert torch.equal(z, aif(read, read, mask)) and torch.equal(z, w * (read + read))
    assert not torch.allclose(z, read, atol=0.1)
    gated: Any = AIF(DLFAConfig(encoder_config=tiny_config(), aif_norm=norm)).eval()
    gated.load_state_dict(aif.state_dict())
    close(gated(read, read, mask), read)


@pytest.mark.parametrize(
    "arguments, indices",
    [
        ({}, [8, 12]),
        ({"fusion_layer": 0}, [0, 12]),
        ({"fusion_layer": [8, 4]}, [4, 8, 12]),
        ({"fusion": "aif_layer", "fusion_layer": 3}, [3, 12]),
        *(({"fusion": fusion}, [12]) for fusion in ("none", "aif_last")),
        *(({"fusion": fusion}, [*range(13)]) for fusion in ("mix_all", "dwatt")),
    ],
)
def test_states_read(arguments, indices):
    assert states_read(DLFAConfig(**arguments)) == indices


@pytest.mark.parametrize("norm", [StandardInput, LayerInput])
@pytest.mark.parametrize("arguments, rows", [({"fusion_layer": [0, 2]}, 3), ({"fusion": "mix_all"}, 4)])
def test_norms_have_a_row_for_every_state(norm, arguments, rows, tiny_config):
    module = norm(DLFAConfig(encoder_config=tiny_config(), **arguments))
    states = [*torch.randn(rows, 2, 5, 32)]
    assert len(module(states)) == rows
    assert {tensor.numel() for tensor in module.state_dict().values()} <= {rows * 32, 32}


@torch.no_grad()
def test_states_are_standardised(tiny_config):
    norm = StandardInput(DLFAConfig(encoder_config=tiny_config(), fusion_layer=1))
    states = [3 * torch.randn(4, 50, 32) + 2, torch.randn(4, 50, 32) - 1]
    states[0][..., 5] = 7.0  # a channel that never changes
    together = torch.stack(states).flatten(1, 2)  # (2, 200, E)
    norm.fit(together.mean(1), together.std(1))
    for state in norm(states):
        flat = state.flatten(0, 1)
        close(flat.mean(0), torch.zeros(32))
        assert ((flat.std(0) - 1).abs() < 1e-4).sum() >= 31 and flat.isfinite().all()


@pytest.mark.parametrize(
    "mean, std, message",
    [
        (torch.zeros(1, 32), torch.ones(1, 32), "mean of shape (1, 32): expected (2, 32)"),
        (torch.zeros(2, 32), torch.ones(32), "std of shape (32,): expected (2, 32)"),
        (torch.full((2, 32), torch.nan), torch.ones(2, 32), "mean: expected finite numbers"),
        (torch.zeros(2, 32), -torch.ones(2, 32), "std: expected finite numbers, none below 0"),
    ],
)
def test_what_is_no_statistic_is_refused(mean, std, message, tiny_config):
    norm = StandardInput(DLFAConfig(encoder_config=tiny_config(), fusion_layer=1))
    with pytest.raises(ValueError) as error:
        norm.fit(mean, std)
    assert str(error.value) == message and not norm.mean.any()


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float])
def test_masked_mean(dtype):
    states = torch.randn(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=dtype)
    close(masked_mean(states, mask), torch.stack((states[0, :2].mean(0), torch.zeros(3))))


def test_masked_batch_norm_equals_batch_norm_over_the_real_tokens():
    ours, theirs = MaskedBatchNorm1d(6), nn.BatchNorm1d(6)
    ours.load_state_dict(randomize(theirs).state_dict())
    for lengths in ((5, 9, 7), (1, 2), (4,)):
        mask = batch(lengths, width=11)["attention_mask"]
        states = 3 * torch.randn(*mask.shape, 6) + 1
        real = mask.bool()
        mine, other = states.clone().requires_grad_(), states[real].clone().requires_grad_()
        upstream = torch.randn_like(other)
        actual, expected = ours(mine, mask)[real], theirs(other)
        close(actual, expected)
        actual.backward(upstream)
        expected.backward(upstream)
        assert mine.grad is not None and other.grad is not None
        close(mine.grad[real], other.grad)
        assert not mine.grad[~real].any()
        for name, buffer in theirs.named_buffers():
            close(ours.get_buffer(name), buffer)
    states = torch.randn(2, 11, 6)
    close(ours.eval()(states, torch.ones(2, 11)), theirs.eval()(states.transpose(1, 2)).transpose(1, 2))


def test_masked_batch_norm_adds_up_in_32_bits():
    """The sums of a real batch are beyond float16."""
    states, mask = 4 * torch.randn(16, 512, 8), torch.ones(16, 512)
    whole, half = MaskedBatchNorm1d(8), MaskedBatchNorm1d(8).half()
    torch.testing.assert_close(half(states.half(), mask).float(), whole(states, mask), atol=0.02, rtol=0.01)
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(half.get_buffer(name).float(), buffer.float(), atol=0.02, rtol=0.01)
    assert half(states.half(), mask).dtype == torch.float16


# ---------------------------------------------------------------------------------------------------------------------
# Fusions from elsewhere
# ---------------------------------------------------------------------------------------------------------------------


class Weighted(nn.Module):
    """What a user might write: z = a x + y, with a fusion's two methods and a start, and no more."""

    def __init__(self, config):
        super().__init__()
        self.factor = nn.Parameter(torch.empty(config.encoder_config.hidden_size))
        self.map = nn.Linear(config.encoder_config.hidden_size, config.encoder_config.hidden_size)

    def start(self, config):
        nn.init.constant_(self.factor, config.gate_bias)

    def forward(self, x, y, mask):
        return self.factor * x + self.map(y) * mask.unsqueeze(-1)


@pytest.fixture
def registry():
    """Whatever the test registers is forgotten after it."""
    reads = {**FUSION_READS}
    yield
    FUSION_READS.clear()
    FUSION_READS.update(reads)
    for name in FUSIONS.keys() - {*reads}:
        del FUSIONS[name]


MODULE = DLFAModel.__module__


def test_built_in_fusions_are_those_that_the_configuration_knows():
    assert [*FUSIONS] == [*FUSION_READS] == [*CHOICES["fusion"]]
    # Tests before this one may have registered others, which stay for the process.
    built_in = {name: fusion for name, fusion in FUSIONS.items() if fusion.__module__ == MODULE}
    gated = [name for name, fusion in built_in.items() if getattr(fusion, "has_gate", False)]
    assert gated == ["aif", "aif_last", "aif_layer"]
    spec = importlib.util.spec_from_file_location("alone", configuration_dlfa.__file__)
    assert spec is not None and spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)  # where no fusion has been registered
    assert {name: getattr(fusion, "reads", "layer") for name, fusion in built_in.items()} == alone.FUSION_READS


@pytest.mark.crossed("family", "model_class")
@by_class
@torch.no_grad()
def test_a_fusion_from_elsewhere(family, model_class, registry, tiny_config, encoder_folder, tmp_path):
    """Refused before it is registered; then as any other: started, computed, saved, and opened with the package."""
    with pytest.raises(ValueError, match="^fusion='weighted': expected one of aif, sum, concat, scalar_mix, layer, "):
        DLFAConfig(encoder_config=tiny_config(family), fusion="weighted")
    assert register_fusion("weighted")(Weighted) is Weighted
    assert FUSIONS["weighted"] is Weighted and "weighted" in FUSION_READS and "weighted" in CHOICES["fusion"]
    model = model_class.from_encoder(encoder_folder(family), fusion="weighted", fusion_layer=1, num_labels=3)
    fusion = model.base_model.fusion
    assert type(fusion) is Weighted and (fusion.factor == 4.0).all() and not fusion.map.bias.any()
    assert 0.15 < fusion.map.weight.std() < 0.25

    randomize(fusion)
    inputs = batch_for(model_class)
    encoder_inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    states = model.base_model.encoder(**encoder_inputs, output_hidden_states=True).hidden_states
    expected = fusion(states[3], states[1], inputs["attention_mask"])
    close(model.base_model(**encoder_inputs).last_hidden_state, expected)
    model.save_pretrained(tmp_path)
    for opener in (model_class, AUTO_CLASSES[model_class]):
        loaded, info = load_with_info(opener, tmp_path)
        assert type(loaded) is model_class and loaded.config.fusion == "weighted"
        assert not info["missing_keys"] and not info["unexpected_keys"]
        same_weights(loaded, model)
        assert torch.equal(loaded(**inputs)[0], model(**inputs)[0])


def test_a_fusion_from_elsewhere_is_refused_where_it_is_not_registered(registry, tiny_config, tmp_path):
    register_fusion("weighted")(Weighted)
    DLFAModel(DLFAConfig(encoder_config=tiny_config(), fusion="weighted")).save_pretrained(tmp_path)
    del FUSION_READS["weighted"]
    with pytest.raises(ValueError, match="^fusion='weighted': expected one of aif, "):
        DLFAModel.from_pretrained(tmp_path)


def test_a_fusion_from_elsewhere_may_do_without_the_layer(registry, tiny_config):
    @register_fusion("tanh")
    class Tanh(nn.Module):
        reads = "none"

        def __init__(self, config):
            super().__init__()

        def forward(self, x, y, mask):
            assert y is None
            return x.tanh()

    model = build(DLFAModel, tiny_config(), fusion="tanh")
    seen = []
    model.encoder.register_forward_hook(lambda module, args, outputs: seen.append(outputs))
    states = model(**batch()).last_hidden_state
    assert seen[0].hidden_states is None
    close(states, seen[0].last_hidden_state.tanh())


def test_a_fusion_from_elsewhere_may_read_all_states(registry, tiny_config):
    @register_fusion("largest")
    class Largest(nn.Module):
        reads = "all"

        def __init__(self, config):
            super().__init__()

        def forward(self, x, y, mask):
            assert len(y) == 4 and y[3] is x
            return torch.stack(y).amax(dim=0)

    model = build(DLFAModel, tiny_config(), fusion="largest", fusion_layer=1)
    assert model.config.fusion_layer is None
    inputs = batch()
    states = model.encoder(**inputs, output_hidden_states=True).hidden_states
    close(model(**inputs).last_hidden_state, torch.stack(states).amax(dim=0))


def test_a_fusion_that_reads_something_else_is_refused(registry):
    wrong = type("Wrong", (nn.Module,), {"reads": "two layers"})
    with pytest.raises(ValueError) as error:
        register_fusion("wrong")(wrong)
    assert str(error.value) == "fusion 'wrong': reads = 'two layers', expected one of layer, all, none"
    assert "wrong" not in FUSIONS and "wrong" not in FUSION_READS


def test_a_name_is_of_one_class(registry):
    def made():
        return type("Again", (nn.Module,), {"__module__": "notebook"})

    first, second = made(), made()
    register_fusion("again")(first)
    register_fusion("again")(second)  # the same cell or module, run once more
    assert FUSIONS["again"] is second and "again" in FUSION_READS
    other = type("Other", (nn.Module,), {"__module__": "notebook"})
    with pytest.raises(ValueError) as error:
        register_fusion("again")(other)
    assert str(error.value) == "fusion 'again' is notebook.Again; notebook.Other needs another name"
    with pytest.raises(ValueError, match="^fusion 'aif' is modeling_dlfa.modeling_dlfa.AIF; "):
        register_fusion("aif")(other)
    assert FUSIONS["again"] is second and FUSIONS["aif"] is AIF
    with pytest.raises(ValueError, match="expected a name, as in @register_fusion"):
        register_fusion(other)  # pyright: ignore  # without brackets


REGISTERED_ELSEWHERE = """
import importlib.util, shutil, sys
from pathlib import Path

import torch
from transformers import AutoModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module

root, again = Path(sys.argv[1]), Path("again")
shutil.copytree(root, again)


class Mine(torch.nn.Module):
    def __init__(self, config):
        super().__init__()

    def forward(self, x, y, mask):
        return x - y


modules = []
for folder, reload in ((root, False), (root, True), (again, False), (root, False)):
    model_class = get_class_from_dynamic_module("modeling_dlfa.DLFAModel", folder, force_download=reload)
    modules.append(sys.modules[model_class.__module__])
assert len({module.__name__ for module in modules}) == 2, modules
for module in modules:
    module.__spec__.loader.exec_module(module)  # as Transformers does where a file has changed
    module.register_fusion("mine")(Mine)
    module.register_fusion("mine")(Mine)
    encoder_config = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 37}
    config = module.DLFAConfig(fusion="mine", fusion_layer=1, encoder_config=encoder_config)
    assert type(module.DLFAModel(config).fusion) is Mine
    assert type(AutoModel.from_pretrained(folder, trust_remote_code=True).fusion).__name__ == "AIF"
"""


def test_code_elsewhere_may_be_loaded_again(tiny_config, tmp_path):
    """Copies of the two files, each with its own registry; running one again registers its fusions once more."""
    build(DLFAModel, tiny_config(), fusion_layer=1).save_pretrained(tmp_path / "saved")
    run_elsewhere(REGISTERED_ELSEWHERE, tmp_path / "saved", cwd=tmp_path)


# ---------------------------------------------------------------------------------------------------------------------
# The start
# ---------------------------------------------------------------------------------------------------------------------

IDENTITY_STARTS = {  # variant -> the last layer's share in z
    "aif": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "aif-batch": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "aif-no-norm": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "scalar_mix": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "concat": torch.tensor(1.0),
    "none": torch.tensor(1.0),
    "mix_all": 1 / (1 + torch.exp(torch.tensor(-4.0))),  # and the others have the same
    "dwatt": torch.tensor(1.0),
    "aif_last": torch.tensor(1.0),
    "aif_layer": torch.tensor(0.0),
    "aif-layers": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "aif-standard": 1 / (1 + torch.exp(torch.tensor(-4.0))),
    "none-standard": torch.tensor(1.0),
}


def starts_at_identity(model, variant) -> bool:
    """Whether z is the promised mixture of x and y, on inputs that are not in the training data of anything."""
    model = model.base_model.eval()
    inputs = batch()
    states = model.encoder(**inputs, output_hidden_states=True).hidden_states
    share = IDENTITY_STARTS[variant]
    x, y = to_fuse(model, states)
    y = torch.stack(y[:-1]).mean(0) if isinstance(y, tuple) else x if y is None else y
    expected = share * x + (1 - share) * y
    return torch.allclose(model(**inputs).last_hidden_state, expected, atol=1e-5)


@pytest.mark.crossed("variant", "model_class")
@by_class
@pytest.mark.parametrize("variant", IDENTITY_STARTS)
def test_new_fusions_start_at_identity(variant, model_class, tiny_config, encoder_folder, tmp_path):
    arguments = {"fusion_layer": 1, **VARIANTS[variant]}
    config = DLFAConfig(encoder_config=tiny_config(), **arguments)
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    AutoModelForTokenClassification.from_config(config).save_pretrained(tmp_path / "head")
    starts = {
        "direct": model_class(DLFAConfig(encoder_config=tiny_config(), **arguments)),
        "from_encoder": model_class.from_encoder(encoder_folder(), **arguments),
        "from base": model_class.from_pretrained(tmp_path / "base"),
        "from head": model_class.from_pretrained(tmp_path / "head"),
    }
    for name, model in starts.items():
        assert starts_at_identity(model, variant), name


@pytest.mark.parametrize("variant", [name for name in IDENTITY_STARTS if not name.startswith("none")])
def test_identity_start_can_be_switched_off(variant, encoder_folder):
    arguments = {"fusion_layer": 1, "identity_init": False, **VARIANTS[variant]}
    model = DLFAModel.from_encoder(encoder_folder(), **arguments)
    assert not starts_at_identity(model, variant)
    if variant == "scalar_mix":
        assert model.fusion.logit == 0 and model.fusion.scale == 1
    elif variant == "mix_all":
        assert not model.fusion.lower_logits.any() and model.fusion.last_logit == 0 and model.fusion.scale == 1
    else:
        last_maps = [m for n, m in model.fusion.named_modules() if n.endswith(("expand", "projection", "value"))]
        assert len(last_maps) == {"concat": 1, "dwatt": 4}.get(variant, 2)
        for last_map in last_maps:
            assert 0.15 < last_map.weight.std() < 0.25  # the encoder's initializer_range is 0.2
            assert not last_map.bias.any()


def test_gate_bias_sets_the_start(encoder_folder):
    model = DLFAModel.from_encoder(encoder_folder(), fusion_layer=1, gate_bias=1.0)
    x, y = torch.randn(2, 3, 9, 32)
    weights = model.fusion.weights(x, y, torch.ones(3, 9))
    close(weights, torch.full_like(weights, 0.7310586))


def test_scale_output_is_not_started_at_identity(encoder_folder):
    """w = 1 would still give x + y, so that zero weights would only cost gradients."""
    model = DLFAModel.from_encoder(encoder_folder(), fusion_layer=1, aif_output="scale")
    assert model.fusion.local_branch.expand.weight.std() > 0.15


@pytest.mark.parametrize("lost", ["all that is new", "biases"])
@by_variant
def test_weights_that_are_missing_are_initialised(variant, lost, tiny_config, tmp_path):
    """`from_pretrained` builds on the meta device: what a checkpoint lacks is uninitialised memory, here NaN."""
    arguments = {"fusion_layer": 1, "num_labels": 3, **VARIANTS[variant]}
    full = build(DLFAForSequenceClassification, tiny_config(), **arguments)
    full.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    endings = ("bias", "scale", "mean") if lost == "biases" else ("",)
    kept = {name: state[name] for name in state if name.startswith("dlfa.encoder.") or not name.endswith(endings)}
    assert kept.keys() < state.keys()
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        model, info = load_with_info(DLFAForSequenceClassification, tmp_path)
    finally:
        torch.use_deterministic_algorithms(False)
    assert {name for name in info["missing_keys"] if "num_batches_tracked" not in name} == {
        name for name in state.keys() - kept.keys() if "num_batches_tracked" not in name
    }
    fresh = DLFAForSequenceClassification(DLFAConfig(encoder_config=tiny_config(), **arguments))
    for name, tensor in model.state_dict().items():
        assert tensor.isfinite().all(), name
        if name in kept:
            assert torch.equal(tensor, kept[name]), name
        elif fresh.state_dict()[name].float().unique().numel() <= 2:  # zeros, ones, a bias, the identity map
            assert torch.equal(tensor, fresh.state_dict()[name]), name
        else:
            assert 0.15 < tensor.std() < 0.25, name


OWN_STARTS = {  # variant, class -> how many modules of which name have a start of their own
    **dict.fromkeys(
        ("aif", "aif-scale", "aif-batch", "aif-no-norm", "aif_last", "aif_layer", "aif-layers"), {"GateLinear": 2}
    ),
    "concat": {"ConcatLinear": 1},
    "scalar_mix": {"ScalarMix": 1},
    "mix_all": {"MixAll": 1},
    **dict.fromkeys(("dwatt", "dwatt-layer-norm"), {"ValueLinear": 4}),
    "aif-standard": {"GateLinear": 2, "StandardInput": 1},
    "none-standard": {"StandardInput": 1},
    DLFAForDependencyParsing: {"ParserLinear": 6, "BiaffineParser": 1},
}


def looks_started(module: Any, config: DLFAConfig) -> bool:
    """Whether the weights that the module itself owns are at its own start, or else at the encoder's ordinary one."""
    kind, identity = type(module).__name__, config.identity_init
    if kind == "ScalarMix":
        return module.logit == (config.gate_bias if identity else 0.0) and module.scale == 1.0
    if kind == "BiaffineParser":
        return 0.08 < module.root.std() < 0.32  # of 32 numbers; the encoder's initializer_range is 0.2
    if kind == "MixAll":
        logit = config.gate_bias + math.log(3) if identity else 0.0
        close(module.last_logit, torch.tensor([logit]))
        return not module.lower_logits.any() and module.scale == 1.0
    if kind == "StandardInput":
        return not module.mean.any() and bool((module.std == 1).all())
    if kind == "GateLinear" and identity and config.aif_output == "gate":
        logit = config.gate_bias if config.fusion == "aif" else 0.0
        return not module.weight.any() and bool((module.bias == logit / 2).all())
    if kind == "ValueLinear" and identity:
        return not module.weight.any() and not module.bias.any()
    if module.bias.any():
        return False
    if kind == "ConcatLinear" and identity:
        return torch.equal(module.weight, torch.eye(*module.weight.shape))
    if kind == "ParserLinear":
        limit = (6 / sum(module.weight.shape)) ** 0.5  # Glorot and Bengio 2010, uniform
        return 0.9 * limit < module.weight.abs().max() <= limit
    error = 0.2 / math.sqrt(2 * module.weight.numel())  # of the deviation of so many normal numbers
    return abs(module.weight.std() - 0.2) < 4 * error


def assert_started(model: Any, variant: str):
    own = {name: module for name, module in model.named_modules() if hasattr(module, "start")}
    expected = {**OWN_STARTS.get(variant, {}), **OWN_STARTS.get(type(model), {})}
    assert Counter(type(module).__name__ for module in own.values()) == expected
    for name, module in own.items():
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        assert tensors, name  # else Transformers passes over it in custom code
    ordinary = (module for module in model.base_model.fusion.modules() if isinstance(module, nn.Linear))
    for module in (*own.values(), *ordinary):
        assert looks_started(module, model.config), module


def starts_of(variant: str) -> list[dict[str, Any]]:
    """Arguments of configurations with and without `identity_init`."""
    sizes = {"fusion_layer": 1, "gate_bias": 3.0, "parser_arc_size": 24, "parser_relation_size": 12}
    return [{"fusion": "aif", **sizes, **VARIANTS[variant], "identity_init": switch} for switch in (True, False)]


@pytest.fixture(scope="module")
def without_fusion(tiny_config, tmp_path_factory) -> str:
    """The folder of a checkpoint that lacks whatever a fusion or a head has."""
    folder = str(tmp_path_factory.mktemp("without-fusion"))
    DLFAModel(DLFAConfig(encoder_config=tiny_config(), fusion="none")).save_pretrained(folder)
    return folder


@pytest.mark.crossed("family", "variant", "model_class")
@by_class
@by_variant
def test_every_module_has_its_start_around_an_encoder(family, variant, model_class, encoder_folder):
    for arguments in starts_of(variant):
        assert_started(model_class.from_encoder(encoder_folder(family), **arguments), variant)


@pytest.mark.crossed("variant", "model_class")
@by_class
@by_variant
def test_every_module_has_its_start(variant, model_class, tiny_config, without_fusion):
    """New, and where a checkpoint lacks the weights."""
    for arguments in starts_of(variant):
        config = DLFAConfig(encoder_config=tiny_config(), **arguments)
        assert_started(model_class(config), variant)
        torch.use_deterministic_algorithms(True)  # fills new memory with NaN
        try:
            model = model_class.from_pretrained(without_fusion, config=config)
        finally:
            torch.use_deterministic_algorithms(False)
        assert_started(model, variant)


STARTS_ELSEWHERE = """
import json, sys
from pathlib import Path

import torch
from transformers import AutoConfig
from transformers.dynamic_module_utils import get_class_from_dynamic_module

root, tensors = Path(sys.argv[1]), {}
torch.manual_seed(0)
torch.use_deterministic_algorithms(True)  # fills new memory with NaN
for name, (class_name, arguments) in json.loads(sys.argv[3]).items():
    module = sys.modules[get_class_from_dynamic_module("modeling_dlfa.DLFAModel", root).__module__]
    assert module.__name__.startswith("transformers_modules.")
    model_class = getattr(module, class_name)
    tensors[f"{name} from_encoder"] = model_class.from_encoder(sys.argv[2], **arguments).state_dict()
    config = AutoConfig.from_pretrained(root, trust_remote_code=True, **arguments)
    tensors[f"{name} from_pretrained"] = model_class.from_pretrained(root, config=config).state_dict()
torch.save(tensors, sys.argv[4])
"""


@pytest.mark.slow
def test_every_module_has_its_start_elsewhere(tiny_config, encoder_folder, without_fusion, tmp_path):
    """Where a checkpoint's own code is run: Transformers initialises the modules of remote code in its own way."""
    cases: dict[str, tuple[Any, str, dict[str, Any]]] = {}
    for model_class in CLASSES:
        for variant in VARIANTS:
            for arguments in starts_of(variant):
                cases[f"{model_class.__name__} {variant} {len(cases)}"] = (model_class, variant, arguments)
    asked = json.dumps({name: (case[0].__name__, case[2]) for name, case in cases.items()})
    run_elsewhere(STARTS_ELSEWHERE, without_fusion, encoder_folder(), asked, tmp_path / "tensors.pt", cwd=tmp_path)
    tensors = torch.load(tmp_path / "tensors.pt")
    for name, (model_class, variant, arguments) in cases.items():
        for way in ("from_encoder", "from_pretrained"):
            model = model_class(DLFAConfig(encoder_config=tiny_config(), **arguments))
            model.load_state_dict(tensors.pop(f"{name} {way}"))
            assert_started(model, variant)
    assert not tensors


# ---------------------------------------------------------------------------------------------------------------------
# Padding
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.crossed("family", "variant")
@by_variant
@torch.no_grad()
def test_padding_changes_nothing(family, variant, tiny_config):
    arguments = {"fusion_layer": 1, **VARIANTS[variant]}
    padded = batch((5, 9, 7), width=12)
    for model_class, pooling in (
        (DLFAModel, "cls"),
        (DLFAForTokenClassification, "cls"),
        (DLFAForSequenceClassification, "cls"),
        (DLFAForSequenceClassification, "mean"),
    ):
        model = build(model_class, tiny_config(family), pooling=pooling, **arguments)
        together = model(**padded)[0]
        for row, length in enumerate((5, 9, 7)):
            input_ids = padded["input_ids"][row : row + 1, :length]
            one = model(input_ids)[0]  # no padding, so no mask either
            close(together[row : row + 1] if one.dim() == 2 else together[row : row + 1, :length], one)
            assert one.std() > 0.01


def padded_on_the_left(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same rows, with their padding before them."""
    mask = inputs["attention_mask"]
    shifts = mask.shape[1] - mask.sum(dim=1)  # (B,)
    moved = dict(inputs)
    for name in ("input_ids", "attention_mask", "inputs_embeds"):
        if name in inputs:
            moved[name] = torch.stack([row.roll(int(n), 0) for row, n in zip(inputs[name], shifts, strict=True)])
    if "word_positions" in inputs:
        positions = inputs["word_positions"]
        moved["word_positions"] = torch.where(positions < 0, positions, positions + shifts[:, None])
    return moved


@pytest.mark.crossed("family", "model_class", "given", "pooling")
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("given", ["input_ids", "inputs_embeds"])
@by_class
@torch.no_grad()
def test_padding_may_stand_on_the_left(family, model_class, given, pooling, tiny_config):
    model = build(model_class, tiny_config(family), fusion_layer=1, pooling=pooling)
    right = batch_for(model_class)
    if given == "inputs_embeds":
        right["inputs_embeds"] = model.get_input_embeddings()(right.pop("input_ids"))
    left = padded_on_the_left(right)
    expected, actual = model(**right), model(**left)
    if model_class is DLFAForSequenceClassification:
        close(actual.logits, expected.logits)
    elif model_class is DLFAForDependencyParsing:
        words = right["word_positions"] >= 0  # (B, W)
        close(actual.arc_logits[words], expected.arc_logits[words])
        possible = words[:, :, None] & words[:, None, :]
        close(actual.relation_logits[:, :, 1:][possible], expected.relation_logits[:, :, 1:][possible])
    else:
        close(actual[0][left["attention_mask"] == 1], expected[0][right["attention_mask"] == 1])


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@by_head
def test_padding_changes_no_training_step(head, pooling, tiny_config):
    """Batch norm in training: outputs and running statistics do not depend on how wide the batch is."""
    changes = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    arguments = {"fusion_layer": 1, "aif_norm": "batch", "pooling": pooling}
    model = build(head, tiny_config(**changes), **arguments).train()
    other = copy.deepcopy(model)
    narrow = batch_for(head)
    padding = {"attention_mask": 0, "input_ids": 1, "word_positions": -1}
    wide = {name: F.pad(tensor, (0, 6), value=padding[name]) for name, tensor in narrow.items()}
    for _ in range(2):
        expected, actual = logits_of(model(**narrow)), logits_of(other(**wide))
        if head is DLFAForDependencyParsing:
            assert actual.shape == (3, 13, 14, 3)
            known = narrow["word_positions"] >= 0
            pairs = known[:, :, None] & F.pad(known, (1, 0), value=True)[:, None, :]
            expected, actual = expected[pairs], actual[:, :7, :8][pairs]
        elif expected.dim() == 3:
            real = narrow["attention_mask"].bool()
            expected, actual = expected[real], actual[:, :9][real]
        close(actual, expected)
    for (name, buffer), (_, expected) in zip(other.named_buffers(), model.named_buffers()):
        close(buffer, expected)
        if "running_mean" in name:
            assert buffer.abs().sum() > 0


# ---------------------------------------------------------------------------------------------------------------------
# Hidden states, attentions, inputs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SELECTIVE)
@pytest.mark.parametrize("wanted, kept", [(None, {1}), (False, {1}), ([2], {1, 2}), (-1, {1, 3}), (True, {*range(4)})])
def test_only_layer_k_is_captured(family, wanted, kept, tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(family), fusion_layer=1)
    seen = []
    model.dlfa.encoder.register_forward_hook(lambda module, args, outputs: seen.append(outputs.hidden_states))
    model(**batch(), output_hidden_states=wanted)
    assert {i for i, state in enumerate(seen[0]) if state is not None} == kept


@pytest.mark.parametrize("family", SELECTIVE)
@pytest.mark.parametrize(
    "variant, kept", [("aif-layers", {0, 2}), ("mix_all", {0, 1, 2}), ("aif_layer", {1}), ("aif_last", set())]
)
def test_only_the_states_that_are_read_are_captured(family, variant, kept, tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(family), **{"fusion_layer": 1, **VARIANTS[variant]})
    seen = []
    model.dlfa.encoder.register_forward_hook(lambda module, args, outputs: seen.append(outputs.hidden_states))
    model(**batch())
    assert {i for i, state in enumerate(seen[0] or ()) if state is not None} == kept


@pytest.mark.parametrize("wanted", [None, [2]])
def test_all_layers_are_captured_by_old_versions(wanted, tiny_config, monkeypatch):
    """Before Transformers 5.23, the same list of indices selected other states, or all."""
    monkeypatch.setattr(f"{DLFAModel.__module__}.CAN_SELECT_STATES", False)
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    seen = []
    model.dlfa.encoder.register_forward_hook(lambda module, args, outputs: seen.append(outputs.hidden_states))
    model(**batch(), output_hidden_states=wanted)
    assert None not in {*seen[0]}


@pytest.mark.parametrize("family", SELECTIVE)
def test_fusion_none_captures_nothing(family, tiny_config):
    model = build(DLFAModel, tiny_config(family), fusion="none")
    seen = []
    model.encoder.register_forward_hook(lambda module, args, outputs: seen.append(outputs.hidden_states))
    model(**batch())
    assert seen == [None]


@pytest.mark.crossed("family", "model_class", "variant")
@pytest.mark.parametrize("variant", ["aif", "none"])
@pytest.mark.parametrize(
    "model_class, can_select",
    [(DLFAModel, False), *((model_class, True) for model_class in CLASSES)],
)
@torch.no_grad()
def test_hidden_states_are_those_asked_for(family, model_class, can_select, variant, tiny_config, monkeypatch):
    monkeypatch.setattr(f"{DLFAModel.__module__}.CAN_SELECT_STATES", can_select)  # False: before Transformers 5.23
    model = build(model_class, tiny_config(family), **{"fusion_layer": 1, **VARIANTS[variant]})
    inputs = batch_for(model_class)
    encoder_inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    states = model.base_model.encoder(**encoder_inputs, output_hidden_states=True).hidden_states
    requests = {
        True: {0, 1, 2, 3},
        0: {0},
        2: {2},
        -1: {3},
        (1,): {1},
        (0, 3): {0, 3},
        (-2, 7): {2},
        (9,): set(),
    }
    for wanted, indices in requests.items():
        wanted = list(wanted) if isinstance(wanted, tuple) else wanted
        for way in ("argument", "config"):
            model.config.output_hidden_states = wanted if way == "config" else False
            outputs = model(**inputs, output_hidden_states=wanted if way == "argument" else None)
            assert len(outputs.hidden_states) == 4
            for i, state in enumerate(outputs.hidden_states):
                assert torch.equal(state, states[i]) if i in indices else state is None, (wanted, way, i)
    model.config.output_hidden_states = True
    assert model(**inputs, output_hidden_states=False).hidden_states is None
    model.config.output_hidden_states = False
    for nothing in (None, False, []):
        assert model(**inputs, output_hidden_states=nothing).hidden_states is None


@pytest.mark.parametrize("model_class", [DLFAModel, DLFAForTokenClassification], ids=lambda c: c.__name__)
@torch.no_grad()
def test_attentions_are_the_encoders(family, model_class, tiny_config):
    model = build(model_class, tiny_config(family), fusion_layer=1, attn_implementation="eager")
    inputs = batch()
    expected = model.base_model.encoder(**inputs, output_attentions=True).attentions
    assert len(expected) == 3 and expected[0].shape == (3, 4, 9, 9)
    assert model(**inputs).attentions is None
    asked = model(**inputs, output_attentions=True).attentions
    model.config.output_attentions = True
    configured = model(**inputs).attentions
    for i in range(3):
        assert torch.equal(asked[i], expected[i]) and torch.equal(configured[i], expected[i])
    assert model(**inputs, output_attentions=False).attentions is None


@by_class
@torch.no_grad()
def test_tuples_hold_the_same(model_class, tiny_config):
    model = build(model_class, tiny_config(), fusion_layer=1, attn_implementation="eager")
    inputs = {**batch_for(model_class, labelled=True), "output_hidden_states": True, "output_attentions": True}
    expected = model(**inputs)
    actual = model(**inputs, return_dict=False)
    model.config.return_dict = False
    configured = model(**inputs)
    assert type(actual) is type(configured) is tuple
    first = {DLFAModel: ["last_hidden_state"], DLFAForDependencyParsing: ["loss", "arc_logits", "relation_logits"]}
    assert [*expected] == [*first.get(model_class, ["loss", "logits"]), "hidden_states", "attentions"]
    assert len(actual) == len(configured) == len(expected)
    for one, other, value in zip(actual, configured, expected.to_tuple()):
        for a, b, v in zip(*(value if isinstance(value, tuple) else (value,) for value in (one, other, value))):
            assert torch.equal(a, v) and torch.equal(b, v)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float])
@torch.no_grad()
def test_masks_may_have_any_type(family, dtype, tiny_config):
    for pooling in ("cls", "mean"):
        model = build(DLFAForSequenceClassification, tiny_config(family), fusion_layer=1, pooling=pooling)
        inputs = batch()
        expected = model(**inputs).logits
        assert torch.equal(model(inputs["input_ids"], inputs["attention_mask"].to(dtype)).logits, expected)


IDS, EMBEDS = torch.full((2, 5), 7), torch.zeros(2, 5, 32)


@pytest.mark.crossed("family", "model_class", "message")
@pytest.mark.parametrize(
    "inputs, error, message",
    [
        (
            {"attention_mask": torch.ones(2, 1, 5, 5)},
            ValueError,
            "attention_mask of shape (2, 1, 5, 5): expected (2, 5)",
        ),
        ({"attention_mask": torch.ones(2, 5, 5)}, ValueError, "expected (2, 5)"),
        ({"attention_mask": torch.ones(2, 4)}, ValueError, "expected (2, 5)"),
        ({"attention_mask": torch.ones(5)}, ValueError, "expected (2, 5)"),
        ({"input_ids": None}, ValueError, "exactly one of input_ids and inputs_embeds"),
        ({"inputs_embeds": EMBEDS}, ValueError, "exactly one of input_ids and inputs_embeds"),
        ({"input_ids": IDS[0]}, ValueError, "input of shape (5,): expected input_ids of (B, T)"),
        ({"input_ids": None, "inputs_embeds": EMBEDS[0]}, ValueError, "expected inputs_embeds of (B, T, E)"),
        ({"input_ids": IDS[:0]}, ValueError, "input of shape (0, 5): expected"),
        ({"input_ids": IDS[:, :0]}, ValueError, "input of shape (2, 0): expected"),
        ({"atention_mask": torch.ones(2, 5)}, TypeError, "'atention_mask'"),
    ],
)
@by_class
def test_inputs_that_cannot_be_used_are_refused(family, model_class, inputs, error, message, tiny_config):
    model = build(model_class, tiny_config(family), fusion_layer=1)
    words = {"word_positions": torch.tensor([[1, 2]] * 2)} if model_class is DLFAForDependencyParsing else {}
    with pytest.raises(error, match=re.escape(message)):
        model(**{"input_ids": IDS, **words, **inputs})


@by_head
@torch.no_grad()
def test_inputs_embeds_replace_input_ids(family, head, tiny_config):
    model = build(head, tiny_config(family), fusion_layer=0, pooling="mean")
    inputs = batch_for(head, (9, 9))
    expected = logits_of(model(**inputs))
    embeds = model.get_input_embeddings()(inputs.pop("input_ids"))
    close(logits_of(model(**inputs, inputs_embeds=embeds)), expected)


@pytest.mark.parametrize("name", ["token_type_ids", "position_ids"])
@torch.no_grad()
def test_inputs_reach_encoders_that_know_them(family, name, tiny_config):
    changes = {"type_vocab_size": 2} if family not in ("distilbert", "modernbert") else {}
    if family == "deberta-v2":
        changes["position_biased_input"] = True
    model = build(DLFAForTokenClassification, tiny_config(family, **changes), fusion_layer=1)
    inputs = batch((9, 9))
    extra = {"token_type_ids": torch.arange(9) // 5, "position_ids": torch.arange(9).flip(0)}[name].expand(2, 9)
    given = []
    model.dlfa.encoder.register_forward_pre_hook(
        lambda module, args, kwargs: given.append({*kwargs}), with_kwargs=True
    )
    without, with_it = model(**inputs).logits, model(**inputs, **{name: extra}).logits
    if name == "token_type_ids" and family in ("distilbert", "modernbert"):
        assert torch.equal(with_it, without)
        assert all(name not in names for names in given)
    else:
        assert not torch.allclose(with_it, without, atol=1e-3)


# ---------------------------------------------------------------------------------------------------------------------
# What was fused
# ---------------------------------------------------------------------------------------------------------------------

OUTPUTS = {  # what a class returns, its fields as long as nothing else is asked for, and the field of z
    DLFAModel: (BaseModelOutput, ["last_hidden_state"], "last_hidden_state"),
    DLFAForSequenceClassification: (SequenceClassifierOutput, ["loss", "logits"], "fused_state"),
    DLFAForTokenClassification: (TokenClassifierOutput, ["loss", "logits"], "fused_state"),
    DLFAForDependencyParsing: (DependencyParserOutput, ["loss", "arc_logits", "relation_logits"], "fused_state"),
}


@pytest.mark.crossed("family", "variant", "model_class", "k")
@pytest.mark.parametrize("k", [0, 2])
@by_class
@by_variant
@torch.no_grad()
def test_output_fusion(family, variant, model_class, k, tiny_config):
    """x, y and w are those of a calculation by hand, all else is as without asking, in its place."""
    model = build(model_class, tiny_config(family), **{"fusion_layer": k, **VARIANTS[variant]})
    inputs = batch_for(model_class, labelled=True)
    output_class, fields, z = OUTPUTS[model_class]
    plain, asked = model(**inputs), model(**inputs, output_fusion=True)
    assert isinstance(plain, output_class) and type(asked) is type(plain)
    assert [*plain] == fields
    body, mask = model.base_model, inputs["attention_mask"]
    states = body.encoder(inputs["input_ids"], mask, output_hidden_states=True).hidden_states
    x, y = to_fuse(body, states)
    expected: dict[str, torch.Tensor] = {"layer_state": y} if isinstance(y, torch.Tensor) else {}
    if variant.startswith("aif"):
        expected["gate"] = body.fusion.weights({"aif_layer": y}.get(variant, x), x if y is None else y, mask)
        assert expected["gate"].std() > 0.05
    expected[z] = body.fusion(x, y, mask)
    assert [*asked] == [*fields, *(name for name in expected if name not in fields)]
    for name, value in {**plain, **expected}.items():
        assert torch.equal(asked[name], value), name
    for name in ("layer_state", "gate"):
        assert getattr(plain, name) is None and (name in expected or getattr(asked, name) is None)


@by_class
@torch.no_grad()
def test_output_fusion_comes_last(model_class, tiny_config):
    """As values and as a tuple, after hidden states and attentions, which stay where they were."""
    model = build(model_class, tiny_config(), fusion_layer=1, attn_implementation="eager")
    inputs = {**batch_for(model_class, labelled=True), "output_hidden_states": [2], "output_attentions": True}
    _, fields, z = OUTPUTS[model_class]
    fields = [*fields, "hidden_states", "attentions"]
    new = ["layer_state", "gate", *([] if z in fields else [z])]
    for asked in (None, False, True):
        outputs = model(**inputs, output_fusion=asked)
        assert [*outputs] == [*fields, *(new if asked else [])]
        assert [state is None for state in outputs.hidden_states] == [True, True, False, True]
        values = model(**inputs, output_fusion=asked, return_dict=False)
        assert type(values) is tuple and len(values) == len(outputs)
        for name, value in zip(outputs, values):
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, outputs[name]), name
    assert new[0] not in model(**inputs)


@by_class
@torch.no_grad()
def test_the_gate_is_computed_once(model_class, tiny_config, monkeypatch):
    """And the fusion is called as a module, so that hooks of other tools (devices, adapters) see it."""
    model = build(model_class, tiny_config(), fusion_layer=1)
    seen = []
    weights = AIF.weights
    monkeypatch.setattr(AIF, "weights", lambda *args: seen.append("weights") or weights(*args))
    model.base_model.fusion.register_forward_hook(lambda *args: seen.append("called"))
    for asked in (False, True):
        model(**batch_for(model_class), output_fusion=asked)
        assert seen == ["weights", "called"]
        seen.clear()


def test_gradients_flow_through_what_was_fused(tiny_config):
    model = build(DLFAModel, tiny_config(), fusion_layer=1)
    outputs = model(**batch(), output_fusion=True)
    assert type(outputs) is DLFAOutput and outputs.gate is not None and outputs.layer_state is not None
    (outputs.gate.mean() + outputs.layer_state.square().mean()).backward()
    assert model.fusion.local_branch.reduce.weight.grad.any()
    assert model.encoder.encoder.layer[0].output.dense.weight.grad.any()


@torch.no_grad()
def test_a_fusion_from_elsewhere_may_have_a_gate(registry, tiny_config):
    @register_fusion("gated")
    class Gated(AIF):
        def weights(self, x, y, mask):
            return torch.sigmoid(x - y)

    model = build(DLFAForTokenClassification, tiny_config(), fusion="gated", fusion_layer=1)
    outputs = model(**batch(), output_fusion=True, output_hidden_states=True)
    close(outputs.gate, torch.sigmoid(outputs.hidden_states[3] - outputs.layer_state))
    register_fusion("weighted")(Weighted)
    model = build(DLFAForTokenClassification, tiny_config(), fusion="weighted", fusion_layer=1)
    outputs = model(**batch(), output_fusion=True)
    assert outputs.gate is None and outputs.layer_state is not None and outputs.fused_state is not None


@by_head
def test_the_trainer_gathers_nothing_of_what_was_fused(head, tiny_config, tmp_path):
    """A whole evaluation of (B, T, E) would fill its memory."""

    def forward(self, *args, **kwargs):
        return head.forward(self, *args, **kwargs, output_fusion=True)

    inputs = batch_for(head, (6, 6, 6), labelled=True)
    rows: Any = [{name: tensor[i] for name, tensor in inputs.items()} for i in range(3)]
    sizes: dict[str, Any] = {"fusion_layer": 1, "num_labels": 3}
    config = DLFAConfig(encoder_config=tiny_config(), **sizes)
    model: Any = type(head.__name__, (head,), {"forward": forward, "__module__": __name__})(config).eval()
    assert model(**inputs).gate is not None
    arguments = TrainingArguments(
        str(tmp_path), use_cpu=True, disable_tqdm=True, remove_unused_columns=False, label_names=["labels"]
    )
    predictions = Trainer(model=model, args=arguments).predict(rows).predictions
    fields = [name for name in OUTPUTS[head][1] if name != "loss"]
    assert len(predictions if isinstance(predictions, tuple) else (predictions,)) == len(fields)


# ---------------------------------------------------------------------------------------------------------------------
# Building around a pretrained encoder
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.crossed("family", "model_class")
@by_class
def test_from_encoder_keeps_every_encoder_weight(family, model_class, encoder_folder):
    expected = AutoModel.from_pretrained(encoder_folder(family))
    model = model_class.from_encoder(encoder_folder(family), fusion_layer=1)
    actual = model.base_model.encoder.state_dict()
    plain = expected.state_dict()
    assert plain.keys() - actual.keys() <= {"pooler.dense.weight", "pooler.dense.bias"}
    for name, tensor in actual.items():
        assert torch.equal(tensor, plain[name]), name
    assert not model.training
    assert model.config.fusion_layer == 1
    assert model.config.encoder_config is model.base_model.encoder.config


def test_from_encoder_opens_a_masked_language_model(family, tiny_config, tmp_path):
    """Its keys begin with a prefix (`bert.`, `roberta.`), as those of mBERT and XLM-R on the Hub."""
    lm = AutoModelForMaskedLM.from_config(tiny_config(family))
    lm.save_pretrained(tmp_path)
    assert any(key.startswith(f"{lm.base_model_prefix}.") for key in load_file(tmp_path / "model.safetensors"))
    model = DLFAForTokenClassification.from_encoder(tmp_path, fusion_layer=1)
    same_weights(model.dlfa.encoder, lm.base_model)


def test_there_is_no_pooler(family, encoder_folder):
    model = DLFAForSequenceClassification.from_encoder(encoder_folder(family), fusion_layer=1)
    assert not [name for name, _ in model.named_parameters() if "pooler" in name]


def test_from_encoder_sorts_its_arguments(encoder_folder):
    model = DLFAForTokenClassification.from_encoder(
        encoder_folder(),
        fusion_layer=2,
        aif_reduction=8,
        id2label={0: "O", 1: "B", 2: "I"},
        problem_type="single_label_classification",
        attn_implementation="eager",
        dtype=torch.bfloat16,
        hidden_dropout_prob=0.3,
    )
    config = model.config
    assert (config.fusion_layer, config.aif_reduction, config.num_labels) == (2, 8, 3)
    assert config.problem_type == "single_label_classification"
    assert config._attn_implementation == model.dlfa.encoder.config._attn_implementation == "eager"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert config.dtype == config.encoder_config.dtype == torch.bfloat16
    assert config.encoder_config.hidden_dropout_prob == 0.3
    assert model.dropout.p == 0.3


@torch.no_grad()
def test_from_encoder_takes_what_belongs_to_the_whole_model(family, encoder_folder):
    asked = {"output_hidden_states": True, "output_attentions": True, "return_dict": False}
    model = DLFAForTokenClassification.from_encoder(encoder_folder(family), fusion_layer=1, **asked)
    logits, states, attentions = model(**batch())
    assert (len(states), len(attentions)) == (4, 3)
    assert all(state is not None for state in states)
    with pytest.raises(ValueError, match="attn_implementation"):
        DLFAForTokenClassification.from_encoder(
            encoder_folder(family), fusion_layer=1, output_attentions=True, attn_implementation="sdpa"
        )


@pytest.mark.parametrize(
    "labels, message",
    [
        ({"num_labels": 3, "id2label": {0: "a", 1: "b"}}, "num_labels=3, id2label of 2 labels"),
        ({"num_labels": 3, "label2id": {"a": 0, "b": 1}}, "num_labels=3, label2id of 2 labels"),
        ({"id2label": {0: "a", 1: "b"}, "label2id": {"a": 1, "b": 0}}, "expected the same labels"),
        ({"label2id": {"a": 0, "b": 0}}, "label2id=.*expected different labels, one for each number from 0 on"),
        ({"label2id": {"a": 1, "b": 2}}, "label2id=.*expected different labels, one for each number from 0 on"),
        ({"id2label": {0: "a", 1: "a"}}, "id2label=.*expected different labels, one for each number from 0 on"),
        ({"id2label": {}}, "id2label=.*expected different labels, one for each number from 0 on"),
        ({"id2label": ["a", "b"]}, r"id2label=\['a', 'b'\]: expected a dictionary"),
        ({"num_labels": 1, "problem_type": "single_label_classification"}, "num_labels > 1"),
        ({"num_labels": 2, "problem_type": "other"}, "problem_type"),
    ],
)
@by_head
def test_from_encoder_refuses_labels_that_contradict_each_other(head, labels, message, encoder_folder):
    with pytest.raises(ValueError, match=message):
        head.from_encoder(encoder_folder(), fusion_layer=1, **labels)


@pytest.mark.parametrize(
    "labels", [{"label2id": {"a": 0, "b": 1, "c": 2}}, {"num_labels": 3, "id2label": {0: "a", 1: "b", 2: "c"}}]
)
def test_from_encoder_makes_one_table_of_labels_of_the_other(labels, encoder_folder, tmp_path):
    model = DLFAForSequenceClassification.from_encoder(encoder_folder(), fusion_layer=1, **labels)
    model.save_pretrained(tmp_path)
    for one in (model, DLFAForSequenceClassification.from_pretrained(tmp_path)):
        assert one.config.id2label == {0: "a", 1: "b", 2: "c"} and one.config.label2id == {"a": 0, "b": 1, "c": 2}
        assert one(**batch()).logits.shape[-1] == 3


@pytest.mark.parametrize("asked", ["eager", {"": "eager"}, {"encoder_config": "eager"}])
def test_attention_is_switched_in_both_configurations(asked, encoder_folder, caplog):
    model = DLFAForSequenceClassification.from_encoder(encoder_folder(), fusion_layer=1)
    assert model.config._attn_implementation == "sdpa"
    caplog.clear()
    model.set_attn_implementation(asked)
    assert model.config._attn_implementation == model.dlfa.encoder.config._attn_implementation == "eager"
    assert model(**batch(), output_attentions=True).attentions[0] is not None and not caplog.records
    model.set_attn_implementation({"other": "sdpa"})
    assert model.config._attn_implementation == "eager"


def test_layers_are_read_from_the_lowest_up_whoever_names_them(encoder_folder, tmp_path):
    options = {"fusion": "sum", "input_norm": "standard"}
    model = DLFAModel.from_encoder(encoder_folder(), fusion_layer=[0, 2], **options)
    model.input_norm.fit(torch.arange(3.0)[:, None].expand(3, 32), torch.ones(3, 32))
    model.save_pretrained(tmp_path)
    again = DLFAModel.from_pretrained(tmp_path, fusion_layer=[2, 0])
    assert again.config.fusion_layer == [0, 2]
    inputs = batch()
    assert torch.equal(again(**inputs).last_hidden_state, model(**inputs).last_hidden_state)


def test_from_encoder_reads_everything_from_one_place(tiny_config, tmp_path):
    """Configuration *and* weights of the revision, cache or subfolder that was asked for."""
    encoders = {}
    repo = tmp_path / "cache" / "models--me--encoder"
    (repo / "refs").mkdir(parents=True)
    for i, revision in enumerate(("main", "v2")):
        encoders[revision] = AutoModel.from_config(tiny_config(num_hidden_layers=2), add_pooling_layer=False)
        encoders[revision].save_pretrained(repo / "snapshots" / (str(i) * 40))
        (repo / "refs" / revision).write_text(str(i) * 40)
    for revision, encoder in encoders.items():
        model = DLFAModel.from_encoder("me/encoder", revision=revision, cache_dir=tmp_path / "cache", fusion_layer=1)
        same_weights(model.encoder, encoder)
    encoder.save_pretrained(tmp_path / "repo" / "encoder")
    same_weights(DLFAModel.from_encoder(tmp_path / "repo", subfolder="encoder", fusion_layer=1).encoder, encoder)

    with pytest.raises(ValueError, match=r"^me/encoder holds a plain 'bert' model"):
        DLFAModel.from_pretrained("me/encoder", revision="v2", cache_dir=tmp_path / "cache")


def test_from_encoder_checks_the_configuration_before_it_reads_weights(tiny_config, tmp_path):
    tiny_config().save_pretrained(tmp_path)  # no weights at all
    with pytest.raises(ValueError, match=r"^fusion_layer=3: this bert encoder has 3 layers"):
        DLFAModel.from_encoder(tmp_path, fusion_layer=3)
    with pytest.raises(ValueError, match="did you mean 'fusion_layer'"):
        DLFAModel.from_encoder(tmp_path, fusion_layr=2)


def test_from_encoder_refuses_missing_weights(tiny_config, tmp_path):
    AutoModel.from_config(tiny_config()).save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    for name in [name for name in state if name.startswith("encoder.layer.2.output.dense")]:
        del state[name]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError) as error:
        DLFAModel.from_encoder(tmp_path, fusion_layer=1)
    assert str(error.value) == (
        f"{tmp_path} lacks 2 weights of a bert encoder (such as encoder.layer.2.output.dense.bias); "
        "they would have been random"
    )


def test_from_encoder_refuses_a_dlfa_model(tiny_config, tmp_path):
    build(DLFAModel, tiny_config(), fusion_layer=1).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a DLFA model already; open it with from_pretrained$"):
        DLFAForTokenClassification.from_encoder(tmp_path, fusion_layer=1)


@pytest.mark.crossed("family", "model_class", "given")
@by_class
@pytest.mark.parametrize("given", ["nothing", "config"])
def test_from_pretrained_refuses_a_plain_encoder(family, model_class, given, tiny_config, encoder_folder):
    folder = encoder_folder(family)
    kwargs = {} if given == "nothing" else {"config": DLFAConfig(encoder_config=tiny_config(family), fusion_layer=1)}
    with pytest.raises(ValueError) as error:
        model_class.from_pretrained(folder, **kwargs)
    assert str(error.value) == (
        f"{folder} holds a plain '{family}' model, not a DLFA one; build DLFA around it with "
        f"{model_class.__name__}.from_encoder('{folder}', fusion_layer=k)"
    )


@by_class
def test_from_pretrained_refuses_a_plain_encoder_through_auto_classes(model_class, tiny_config, encoder_folder):
    config = DLFAConfig(encoder_config=tiny_config(), fusion_layer=1)
    with pytest.raises(ValueError, match="holds a plain 'bert' model"):
        AUTO_CLASSES[model_class].from_pretrained(encoder_folder(), config=config)


def test_a_direct_model_has_the_default_dtype_throughout(tiny_config):
    """Also where the configuration of a half-precision encoder was read from a checkpoint."""
    config = DLFAConfig(encoder_config=tiny_config(dtype="bfloat16"), fusion_layer=1)
    model = DLFAForTokenClassification(config)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model(**batch()).logits.dtype == torch.float32


# ---------------------------------------------------------------------------------------------------------------------
# Saving and loading
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.crossed("family", "model_class")
@by_class
@torch.no_grad()
def test_saved_model_opens_the_same(family, model_class, tiny_config, tmp_path):
    model = build(model_class, tiny_config(family), fusion_layer=1, aif_norm="batch")
    model.save_pretrained(tmp_path)
    files = {"config.json", "model.safetensors", "configuration_dlfa.py", "modeling_dlfa.py"}
    assert {path.name for path in tmp_path.iterdir()} == files
    inputs = batch_for(model_class)
    for opener in (model_class, AUTO_CLASSES[model_class]):  # no trust_remote_code: the package registered its classes
        loaded = opener.from_pretrained(tmp_path)
        assert type(loaded) is model_class
        same_weights(loaded, model)
        assert torch.equal(loaded(**inputs)[0], model(**inputs)[0])
    assert type(AutoConfig.from_pretrained(tmp_path)) is DLFAConfig
    assert AutoConfig.from_pretrained(tmp_path).auto_map.keys() == {
        "AutoConfig",
        "AutoModel",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForQuestionAnswering",
        "AutoModelForSequenceClassification",
        "AutoModelForTokenClassification",
    }


@by_variant
@torch.no_grad()
def test_every_fusion_is_saved_whole(variant, tiny_config, tmp_path):
    model = build(DLFAForTokenClassification, tiny_config(), **{"fusion_layer": 1, **VARIANTS[variant]})
    model.save_pretrained(tmp_path)
    loaded, info = load_with_info(DLFAForTokenClassification, tmp_path)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    same_weights(loaded, model)
    inputs = batch()
    assert torch.equal(loaded(**inputs).logits, model(**inputs).logits)


OPENED_ELSEWHERE = """
import sys
from pathlib import Path

import torch
from transformers import AutoModel

root = Path(sys.argv[1])
for folder in root.iterdir():
    inputs, expected, layers = torch.load(folder / "expected.pt")
    model, info = AutoModel.from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
    assert type(model).__module__.startswith("transformers_modules."), type(model)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    assert model.config.fusion_layer == layers, model.config.fusion_layer
    with torch.no_grad():
        assert torch.equal(model(**inputs).last_hidden_state, expected), folder
"""


@torch.no_grad()
def test_several_layers_and_norms_open_elsewhere(tiny_config, tmp_path):
    variants = {
        **{name: VARIANTS[name] for name in ("aif-layers", "aif-standard", "dwatt-layer-norm", "none-standard")},
        "mix_all-standard": {"fusion": "mix_all", "input_norm": "standard"},
    }
    for name, arguments in variants.items():
        model = build(DLFAModel, tiny_config(), **{"fusion_layer": 1, **arguments})
        model.save_pretrained(tmp_path / "saved" / name)
        inputs = batch()
        outcome = (inputs, model(**inputs).last_hidden_state, model.config.fusion_layer)
        torch.save(outcome, tmp_path / "saved" / name / "expected.pt")
    run_elsewhere(OPENED_ELSEWHERE, tmp_path / "saved", cwd=tmp_path)


def test_base_and_heads_open_each_other(tiny_config, tmp_path):
    for model_class in CLASSES:
        build(model_class, tiny_config(), fusion_layer=1).save_pretrained(tmp_path / model_class.__name__)
    for source in CLASSES:
        saved = source.from_pretrained(tmp_path / source.__name__)
        for target in CLASSES:
            loaded, info = load_with_info(target, tmp_path / source.__name__)
            same_weights(loaded.base_model, saved.base_model)
            if source is DLFAModel or target is DLFAModel:
                missing = {name.split(".")[0] for name in info["missing_keys"]}
                new = {DLFAModel: set(), DLFAForDependencyParsing: {"parser"}}.get(target, {"classifier"})
                assert missing == new


@by_head
def test_another_number_of_labels(head, tiny_config, tmp_path):
    model = build(head, tiny_config(), fusion_layer=1)
    model.save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        head.from_pretrained(tmp_path, num_labels=5)
    loaded = head.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)
    assert logits_of(loaded(**batch_for(head))).shape[-1] == 5
    same_weights(loaded.dlfa, model.dlfa)


def test_dtype_when_opened(tiny_config, tmp_path):
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    model.save_pretrained(tmp_path)
    loaded = DLFAForTokenClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
    assert loaded.config.encoder_config.dtype == torch.bfloat16


@by_variant
@torch.no_grad()
def test_bfloat16_is_close_to_float32(variant, tiny_config):
    model = build(DLFAForSequenceClassification, tiny_config(), **{"fusion_layer": 1, **VARIANTS[variant]})
    inputs = batch()
    expected = model(**inputs).logits
    actual = model.bfloat16()(**inputs).logits
    assert actual.dtype == torch.bfloat16
    close(actual.float(), expected, tolerance=0.05)


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def saved_by_torch(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.crossed("model_class", "copied", "after")
@pytest.mark.parametrize("after", ["building", "a forward", "from_encoder", "from_pretrained"])
@pytest.mark.parametrize("copied", [pickled, saved_by_torch, copy.deepcopy])
@by_class
@torch.no_grad()
def test_a_model_can_be_pickled_and_copied(model_class, copied, after, tiny_config, encoder_folder, tmp_path):
    model = build(model_class, tiny_config(), fusion_layer=1)
    if after == "a forward":
        model(**batch_for(model_class), output_hidden_states=True)
    elif after == "from_encoder":
        model = model_class.from_encoder(encoder_folder(), fusion_layer=1)
    elif after == "from_pretrained":
        model.save_pretrained(tmp_path)
        model = model_class.from_pretrained(tmp_path)
    inputs = batch_for(model_class)
    twin = copied(copied(model))
    expected, actual = (one(**inputs, output_hidden_states=True, return_dict=True) for one in (model, twin))
    assert expected.keys() == actual.keys()
    assert len(actual.hidden_states) == 4
    for name, value in expected.items():
        for one, other in zip(value, actual[name], strict=True):  # rows, or layers
            assert torch.equal(one, other), name
    same_weights(twin, model)


@pytest.mark.slow
def test_a_model_can_be_sent_to_another_process(tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    inputs = batch()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, torch.no_grad():
        there = pool.submit(logits_in_this_process, model, inputs).result()
        close(torch.tensor(there), model(**inputs).logits)


def logits_in_this_process(model, inputs) -> list:
    with torch.no_grad():
        return model(**inputs).logits.tolist()


@torch.no_grad()
def test_an_encoder_that_was_pickled_alone_says_so(tiny_config):
    encoder = pickled(build(DLFAModel, tiny_config(), fusion_layer=1).encoder)
    with pytest.raises(RuntimeError, match="without the DLFAModel"):
        encoder(**batch())


@torch.no_grad()
def test_copies_and_pickled_state(tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    inputs = batch()
    expected = model(**inputs).logits
    assert torch.equal(copy.deepcopy(model)(**inputs).logits, expected)
    other = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    assert not torch.equal(other(**inputs).logits, expected)
    other.load_state_dict(pickle.loads(pickle.dumps(model.state_dict())))
    assert torch.equal(other(**inputs).logits, expected)
    config = pickle.loads(pickle.dumps(model.config))
    assert config.to_dict() == model.config.to_dict()


# ---------------------------------------------------------------------------------------------------------------------
# Heads and losses
# ---------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_sequence_head(tiny_config):
    for pooling in ("cls", "mean"):
        model = build(DLFAForSequenceClassification, tiny_config(), fusion_layer=1, pooling=pooling)
        inputs = batch()
        states = model.dlfa(**inputs).last_hidden_state
        if pooling == "cls":
            pooled = states[:, 0]
        else:
            pooled = torch.stack([states[row, :length].mean(0) for row, length in enumerate((5, 9, 7))])
        head = model.classifier
        hidden = torch.tanh(pooled @ head.dense.weight.T + head.dense.bias)
        close(model(**inputs).logits, hidden @ head.out_proj.weight.T + head.out_proj.bias)


@torch.no_grad()
@pytest.mark.parametrize("saved_as", ["base", "classifier", "pretraining"])
@pytest.mark.parametrize("family", ["bert", "rembert"])
def test_the_head_starts_from_the_pooler_as_the_familys_own(family, saved_as, tiny_config, tmp_path):
    """With the same last map it gives the logits of the family's own classifier."""
    config = tiny_config(family, num_labels=3)
    own = AutoModelForSequenceClassification.from_config(config).eval()
    randomize(own.classifier)
    to_save = {"base": own.base_model, "classifier": own}
    if saved_as == "pretraining":  # a checkpoint of a language model, with the pooler among other things
        to_save[saved_as] = AutoModelForMaskedLM.from_config(config)
        setattr(to_save[saved_as], own.base_model_prefix, own.base_model)
    to_save[saved_as].save_pretrained(tmp_path)
    model = DLFAForSequenceClassification.from_encoder(str(tmp_path), fusion="none", num_labels=3)
    same_weights(model.classifier.dense, own.base_model.pooler.dense)
    assert model.classifier.started_from == "pooler"
    model.classifier.out_proj.load_state_dict(own.classifier.state_dict())
    assert torch.equal(model(**(inputs := batch())).logits, own(**inputs).logits)


@pytest.mark.parametrize(
    "family, changes",
    [
        ("bert", {"pooling": "mean"}),
        ("xlm-roberta", {}),
        ("electra", {}),
        ("modernbert", {}),
        ("bert", {"bare": True}),
    ],
)
def test_other_heads_start_at_random(family, changes, tiny_config, tmp_path):
    changes = dict(changes)
    bare = {"add_pooling_layer": False} if changes.pop("bare", False) else {}
    AutoModel.from_config(tiny_config(family), **bare).save_pretrained(tmp_path)
    model = DLFAForSequenceClassification.from_encoder(str(tmp_path), fusion="none", **changes)
    assert model.classifier.started_from == "random"
    assert not model.classifier.dense.bias.any()


def test_a_start_from_the_pooler_leaves_luck_as_it_is(tiny_config, tmp_path):
    states = []
    for pooler in (True, False):
        folder = tmp_path / str(pooler)
        AutoModel.from_config(tiny_config(), add_pooling_layer=pooler).save_pretrained(folder)
        torch.manual_seed(1)
        model = DLFAForSequenceClassification.from_encoder(str(folder), fusion_layer=1)
        states.append((model.classifier.out_proj.weight, torch.random.get_rng_state()))
    for one, other in zip(*states, strict=True):
        assert torch.equal(one, other)


@torch.no_grad()
def test_token_head(tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    inputs = batch()
    states = model.dlfa(**inputs).last_hidden_state
    close(model(**inputs).logits, states @ model.classifier.weight.T + model.classifier.bias)


@pytest.mark.parametrize(
    "given, family, changes, rate",
    [
        (0.4, "bert", {"classifier_dropout": 0.2}, 0.4),
        (0.0, "bert", {"classifier_dropout": 0.2}, 0.0),
        (None, "bert", {"classifier_dropout": 0.2}, 0.2),
        (None, "bert", {"hidden_dropout_prob": 0.15}, 0.15),
        (None, "distilbert", {"seq_classif_dropout": 0.25}, 0.25),
        (None, "modernbert", {"classifier_dropout": 0.35}, 0.35),
    ],
)
@by_head
def test_head_dropout(head, given, family, changes, rate, tiny_config):
    model = head(DLFAConfig(encoder_config=tiny_config(family, **changes), classifier_dropout=given))
    of_head = (module for name, module in model.named_modules() if not name.startswith("dlfa."))
    assert {module.p for module in of_head if isinstance(module, nn.Dropout)} == {rate}


def labels_for(problem: str) -> torch.Tensor:
    if problem == "tokens":
        labels = torch.randint(0, 3, (6, 9))
        labels[:, 0] = -100
        labels[0, 3:] = -100
        return labels
    return {
        "single_label_classification": torch.randint(0, 3, (6,)),
        "multi_label_classification": torch.randint(0, 2, (6, 3)).float(),
        "regression": torch.randn(6, 3),
        "one number": torch.randn(6),
    }[problem]


PROBLEMS = ("tokens", "single_label_classification", "multi_label_classification", "regression", "one number")


def model_for(problem: str, tiny_config, told: bool = True):
    head = DLFAForTokenClassification if problem == "tokens" else DLFAForSequenceClassification
    arguments: dict[str, Any] = {"num_labels": 1 if problem == "one number" else 3}
    if told and problem != "tokens":
        arguments["problem_type"] = "regression" if problem == "one number" else problem
    return build(head, tiny_config(), fusion_layer=1, **arguments)


@pytest.mark.parametrize("problem", PROBLEMS)
@torch.no_grad()
def test_losses(problem, tiny_config):
    model = model_for(problem, tiny_config)
    labels = labels_for(problem)
    outputs = model(**batch((5, 9, 7, 4, 8, 6)), labels=labels)
    logits = outputs.logits
    if problem == "tokens":
        scored = labels != -100
        expected = -torch.log_softmax(logits, -1)[scored].gather(1, labels[scored][:, None]).mean()
    elif problem == "single_label_classification":
        expected = -torch.log_softmax(logits, -1).gather(1, labels[:, None]).mean()
    elif problem == "multi_label_classification":
        expected = -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
    else:
        expected = (logits.reshape(labels.shape) - labels).square().mean()
    close(outputs.loss, expected)


@pytest.mark.parametrize(
    "problem, told",
    # Several numbers per sequence cannot be told from several labels.
    [(problem, told) for problem in PROBLEMS for told in (True, False) if told or problem != "regression"],
)
def test_accumulated_gradients_equal_one_big_batch(problem, told, tiny_config):
    inputs, labels = batch((5, 9, 7, 4, 8, 6)), labels_for(problem)
    big = model_for(problem, tiny_config, told)
    small = copy.deepcopy(big)
    big(**inputs, labels=labels).loss.backward()
    count = (labels != -100).sum()  # as the Trainer counts
    loss = torch.tensor(0.0)
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        part = {name: tensor[rows] for name, tensor in inputs.items()}
        step = small(**part, labels=labels[rows], num_items_in_batch=count).loss
        step.backward()
        loss += step.detach()
    close(loss, big(**inputs, labels=labels).loss)
    for (name, parameter), expected in zip(small.named_parameters(), big.parameters()):
        assert parameter.grad is not None, name
        close(parameter.grad, expected.grad)


@pytest.mark.parametrize(
    "num_labels, labels, problem",
    [
        (3, torch.tensor([0, 2, 1]), "single_label_classification"),
        (1, torch.tensor([0.5, -1.0, 2.0]), "regression"),
        (3, torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0]]), "multi_label_classification"),
    ],
)
@pytest.mark.parametrize("num_items_in_batch", [None, 3])
def test_problem_type_is_found_from_the_labels(num_labels, labels, problem, num_items_in_batch, tiny_config):
    model = build(DLFAForSequenceClassification, tiny_config(), fusion_layer=1, num_labels=num_labels)
    model(**batch(), labels=labels, num_items_in_batch=num_items_in_batch)
    assert model.config.problem_type == problem


@by_head
def test_trainer_sees_that_the_loss_is_scaled(head, tiny_config, tmp_path):
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    assert Trainer(model=build(head, tiny_config(), fusion_layer=1), args=arguments).model_accepts_loss_kwargs


# ---------------------------------------------------------------------------------------------------------------------
# Training and tooling
# ---------------------------------------------------------------------------------------------------------------------

SKIP_THE_LAST = ("layer", "aif_layer")  # variants whose output does not depend on layer L


@pytest.mark.crossed("family", "head", "variant")
@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant not in SKIP_THE_LAST])
@by_head
def test_training_reaches_every_weight(family, head, variant, encoder_folder):
    """From the identity start, the last maps of AIF move first; after one step everything has a gradient."""
    model = head.from_encoder(encoder_folder(family), num_labels=3, **{"fusion_layer": 1, **VARIANTS[variant]}).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = batch_for(head, labelled=True)
    for _ in range(2):
        optimizer.zero_grad()
        model(**inputs).loss.backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_embeddings_can_be_frozen(family, encoder_folder):
    model = DLFAForTokenClassification.from_encoder(encoder_folder(family), num_labels=3, fusion_layer=1)
    embeddings = model.get_input_embeddings()
    assert embeddings.num_embeddings == 64
    embeddings.requires_grad_(False)
    model(**batch(), labels=torch.randint(0, 3, (3, 9))).loss.backward()
    assert embeddings.weight.grad is None
    assert model.dlfa.fusion.local_branch.expand.weight.grad.any()


# Reentrant checkpointing of DeBERTa-v2 fails in Transformers' own model already.
@pytest.mark.parametrize(
    "family, reentrant", [*((family, False) for family in (*SELECTIVE, "deberta-v2", "rembert")), ("bert", True)]
)
@by_token_head
def test_activation_checkpointing_gives_the_same_gradients(family, reentrant, head, tiny_config):
    model = build(head, tiny_config(family), fusion_layer=1)
    checkpointed = copy.deepcopy(model)
    checkpointed.activation_checkpointing_enable({"use_reentrant": reentrant})
    assert checkpointed.is_activation_checkpointing
    inputs = batch_for(head, labelled=True)
    for one in (model, checkpointed):
        torch.manual_seed(1)  # the same dropout
        one.train()(**inputs).loss.backward()
    for (name, parameter), expected in zip(checkpointed.named_parameters(), model.parameters()):
        assert parameter.grad is not None, name
        close(parameter.grad, expected.grad)


@pytest.mark.parametrize(
    "family, variant, head, training",
    rest_is_slow(
        [
            ("bert", "aif", DLFAForTokenClassification, False),
            ("xlm-roberta", "scalar_mix", DLFAForTokenClassification, False),
            ("modernbert", "none", DLFAForTokenClassification, False),
            ("bert", "aif", DLFAForDependencyParsing, True),  # which computes less in training
            ("xlm-roberta", "none", DLFAForDependencyParsing, False),
            ("bert", "mix_all", DLFAForTokenClassification, False),
            ("xlm-roberta", "dwatt-layer-norm", DLFAForTokenClassification, True),
            ("bert", "aif_last", DLFAForTokenClassification, False),
            ("modernbert", "aif-layers", DLFAForTokenClassification, False),
            ("bert", "aif-standard", DLFAForTokenClassification, False),
        ]
    ),
)
def test_compiles_without_graph_breaks(family, variant, head, training, tiny_config):
    torch.compiler.reset()
    changes = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    model = build(head, tiny_config(family, **changes), **{"fusion_layer": 1, **VARIANTS[variant]}).train(training)
    inputs = batch_for(head, labelled=True)
    fresh = copy.deepcopy(model)  # nothing ran eagerly before
    loss = torch.compile(fresh, fullgraph=True, backend="eager")(**inputs).loss
    expected = model(**inputs).loss
    close(loss, expected)
    loss.backward()
    expected.backward()
    for parameter, other in zip(fresh.parameters(), model.parameters()):
        assert (parameter.grad is None) == (other.grad is None)
        if parameter.grad is not None:
            close(parameter.grad, other.grad)


@pytest.mark.parametrize("head, variant", rest_is_slow([*((head, "aif") for head in CLASSES), (DLFAModel, "none")]))
@torch.no_grad()
def test_compiles_and_exports_with_output_fusion(head, variant, tiny_config):
    torch.compiler.reset()
    model = build(head, tiny_config(), **{"fusion_layer": 1, **VARIANTS[variant]})
    inputs = {**batch_for(head), "output_fusion": True}
    fresh = copy.deepcopy(model)
    compiled = torch.compile(fresh, fullgraph=True, backend="eager")(**inputs)
    exported = torch.export.export(model, (), inputs).module()(**inputs)
    expected = model(**inputs)
    assert ("gate" in expected) == (variant == "aif")
    for outputs in (compiled, exported):
        assert [*outputs] == [*expected]
        for name in expected:
            close(outputs[name], expected[name])


@pytest.mark.parametrize(
    "variant", rest_is_slow(["aif", "mix_all", "dwatt-layer-norm", "aif-layers", "aif-standard", "aif_last"])
)
@torch.no_grad()
def test_exports(variant, tiny_config):
    arguments = {"fusion_layer": 1, "pooling": "mean", **VARIANTS[variant]}
    model = build(DLFAForSequenceClassification, tiny_config(), **arguments)
    inputs = batch()
    sizes = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in inputs}
    program = torch.export.export(model, (), inputs, dynamic_shapes=sizes)
    other = batch((3, 6), width=8)
    close(program.module()(**other).logits, model(**other).logits)


@pytest.mark.crossed("family", "head")
@by_head
def test_embeddings_can_be_resized(family, head, tiny_config, tmp_path):
    model = build(head, tiny_config(family), fusion_layer=1)
    before = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(70)
    assert model.get_input_embeddings().weight.shape == (70, before.shape[1])
    assert torch.equal(model.get_input_embeddings().weight[:64], before)
    assert model.config.encoder_config.vocab_size == 70
    model.save_pretrained(tmp_path)
    same_weights(head.from_pretrained(tmp_path), model)
    inputs = batch_for(head, (4,))
    inputs["input_ids"].fill_(69)
    assert logits_of(model(**inputs)).isfinite().all()


def test_attention_can_be_switched(tiny_config):
    model = build(DLFAForTokenClassification, tiny_config(), fusion_layer=1)
    assert model.dlfa.encoder.config._attn_implementation == "sdpa"
    inputs = batch()
    expected = model(**inputs).logits
    model.set_attn_implementation("eager")
    assert model.dlfa.encoder.config._attn_implementation == "eager"
    real = inputs["attention_mask"].bool()
    close(model(**inputs).logits[real], expected[real])


def test_model_checks_a_configuration_that_was_changed(tiny_config):
    config = DLFAConfig(encoder_config=tiny_config())
    config.fusion_layer = 7
    with pytest.raises(ValueError, match="fusion_layer=7"):
        DLFAModel(config)
