"""The model that a run asks for."""

import pytest
import torch
from transformers import set_seed

from modeling_dlfa.configuration_dlfa import FUSION_READS
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import prepare
from modeling_dlfa.training.model import build_model, encoder_layers
from modeling_dlfa.training.run import run


@pytest.fixture
def parsed(argv, tmp_path):
    """parsed(task, flags) -> the arguments of a run."""
    return lambda task, flags: CommandLine(argv(task, tmp_path / "out", flags)).arguments(
        task, flags.split()[1], tmp_path / "out"
    )


@pytest.mark.parametrize("task", ["xnli", "udpos"])
@pytest.mark.parametrize("fusion", FUSION_READS)
def test_with_the_same_seed_every_fusion_has_the_baselines_encoder_head_and_luck(parsed, task, fusion):
    def built(flags):
        set_seed(5)
        model = build_model(parsed(task, flags)[0], TASKS[task])
        return model, torch.random.get_rng_state()

    baseline, luck = built("--fusion none")
    model, same_luck = built(f"--fusion {fusion} --fusion_layer 1")
    assert model.config.fusion == fusion
    assert torch.equal(luck, same_luck)
    weights = dict(model.named_parameters())
    for name, weight in baseline.named_parameters():
        assert torch.equal(weight, weights.pop(name)), name
    assert all(name.startswith("dlfa.fusion.") for name in weights)
    assert not model.training
    assert model.dlfa.encoder.config is model.config.encoder_config  # pyright: ignore
    for config in (model.config, model.config.encoder_config):
        assert config._attn_implementation == "sdpa"
        assert config.dtype == torch.float32


def test_other_seeds_have_other_heads_and_fusions(parsed):
    models = []
    for seed in (1, 2):
        set_seed(seed)
        models.append(build_model(parsed("udpos", "--fusion aif --fusion_layer 1")[0], TASKS["udpos"]))
    for name in ("classifier.weight", "dlfa.fusion.local_branch.reduce.weight"):
        one, other = (model.get_parameter(name) for model in models)
        assert not torch.equal(one, other), name


def test_a_fusion_without_effect_trains_as_the_baseline(parsed, tiny_dropout_encoder, tmp_path):
    """A gate that is shut and not trained: the same batches, dropout and updates, and so the same scores."""
    flags = f"--model_name_or_path {tiny_dropout_encoder} --num_train_epochs 1 --eval_strategy no"
    shut = '--fusion_layer 1 --fusion_learning_rate 0 --config_overrides {"gate_bias":200}'
    results = []
    for fusion, more in (("none", ""), ("aif", shut)):
        arguments, training_arguments = parsed("udpos", f"--fusion {fusion} {flags} {more}")
        training_arguments.output_dir = str(tmp_path / fusion)
        results.append(run(arguments, training_arguments, prepare(arguments)))
    assert results[0].all_metrics == results[1].all_metrics
    assert results[0].development_score == results[1].development_score
    assert results[0].average < 100


def test_layers_of_an_encoder(tiny_encoder):
    assert encoder_layers(tiny_encoder) == 3
    with pytest.raises(InputError, match="no/such"):
        encoder_layers("no/such")
