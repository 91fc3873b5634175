"""Scouting for the fusion layer: exact, blind to target languages, and it finds a layer that stands out."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, TrainingArguments

from modeling_dlfa.configuration_dlfa import FUSION_READS
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training import scout as scouting
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.run import run
from modeling_dlfa.training.scout import (
    METHODS,
    LayerModels,
    best_layer,
    layer_models,
    predictions_and_losses,
    scout,
    training_language_data,
)
from tests.marks import rest_is_slow
from tests.of_kinds import data_collator


Parsed = tuple[RunArguments, TrainingArguments]

LAYERS = (0, 1, 2)  # of the tiny encoders


@pytest.fixture
def parsed(argv, tmp_path: Path) -> Callable[..., Parsed]:
    """parsed(task, flags): the arguments of a short run with `--fusion_layer auto`; nothing is selected."""

    def parse(task: str, flags: str = "") -> Parsed:
        command = CommandLine(argv(task, tmp_path / "out", f"--eval_strategy no --fusion_layer auto {flags}"))
        return command.arguments(task, command.fusions[-1], tmp_path / "out")

    return parse


@pytest.fixture(scope="session")
def planted(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """planted(j): an encoder whose layer j alone says anything about its input.

    Below j the states are a hundred thousandth of their size, which the next layer's norms make good; above they
    are 0.
    """

    def folder(j: int) -> str:
        target = tmp_path_factory.mktemp("planted") / "encoder"
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(target)
        encoder = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
        norms = [encoder.embeddings.LayerNorm, *(layer.output.LayerNorm for layer in encoder.encoder.layer)]
        for k, norm in enumerate(norms):
            torch.nn.init.constant_(norm.weight, 1e-5 if k < j else 1.0 if k == j else 0.0)
            torch.nn.init.zeros_(norm.bias)
        encoder.save_pretrained(target)
        return str(target)

    return folder


# ---------------------------------------------------------------------------------------------------------------------
# The models of the layers are those of runs
# ---------------------------------------------------------------------------------------------------------------------


def layers_and_batch(parsed_arguments: Parsed) -> tuple[LayerModels, dict[str, Any]]:
    """Models of all layers with weights of their own, and a padded batch."""
    arguments, _ = parsed_arguments
    data = training_language_data(arguments)
    torch.manual_seed(1)
    base: Any = build_model(RunArguments(**{**vars(arguments), "fusion": "none"}), data.task)
    models = layer_models(base, arguments, data)
    for model in models.values():
        for parameter in model.parameters():
            parameter.data += torch.randn_like(parameter) / 3
    rows = sorted(range(len(data.train)), key=data.train["length"][:].__getitem__)
    columns = [name for name in data.train.column_names if name not in ("length", "sentence", "first_word")]
    batch = data_collator(data.task, data.tokenizer)(
        [{name: data.train[row][name] for name in columns} for row in (rows[0], rows[-1])]
    )
    assert 0 in batch["attention_mask"]
    return LayerModels(base.dlfa, models).eval(), dict(batch)


@pytest.mark.parametrize("fusion", [fusion for fusion, reads in FUSION_READS.items() if reads == "layer"])
@pytest.mark.parametrize(("task", "pooling"), [("udpos", "mean"), ("xnli", "mean"), ("pawsx", "cls")])
def test_logits_and_losses_are_those_of_the_ordinary_models(parsed, task: str, pooling: str, fusion: str):
    given = parsed(task, f"--fusion {fusion} --pooling {pooling}")
    model, batch = layers_and_batch(given)
    assert model.layers == LAYERS
    with torch.no_grad():
        outputs = model(**batch)
        losses = []
        for place, k in enumerate(LAYERS):
            ordinary: Any = build_model(RunArguments(**{**vars(given[0]), "fusion_layer": k}), get_task(task)).eval()
            missing, unexpected = ordinary.load_state_dict(model.models[place].state_dict(), strict=False)
            assert not unexpected and all(".encoder." in name for name in missing)
            expected = ordinary(**batch)
            assert torch.equal(outputs["logits"][..., place, :], expected.logits), k
            losses.append(expected.loss)
    assert outputs["loss"].item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-6)
    assert len({round(loss.item(), 4) for loss in losses}) == len(LAYERS)  # they can be told apart


def test_all_layers_start_as_their_runs(parsed):
    arguments, _ = parsed("xnli")
    data = training_language_data(arguments)
    torch.manual_seed(3)
    base = build_model(RunArguments(**{**vars(arguments), "fusion": "none"}), data.task)
    for k, model in layer_models(base, arguments, data).items():
        torch.manual_seed(3)
        expected = build_model(RunArguments(**{**vars(arguments), "fusion_layer": k}), data.task).state_dict()
        assert all(torch.equal(weights, expected[name]) for name, weights in model.state_dict().items())


@pytest.mark.parametrize(
    ("task", "flags"),
    rest_is_slow(
        [
            ("udpos", "--gradient_accumulation_steps 2 --num_train_epochs 6 --head_learning_rate 1e-2"),
            ("udpos", "--num_train_epochs 4 --head_learning_rate 1e-2 --fusion_learning_rate 5e-2"),
            ("udpos", "--num_train_epochs 4 --head_learning_rate 1e-2 --input_norm layer"),
            (
                "panx",
                "--freeze_embeddings --bf16 true --gradient_checkpointing true --num_train_epochs 6 "
                "--head_learning_rate 1e-2",
            ),
        ]
    ),
)
def test_scouting_one_layer_is_its_run(parsed, tiny_dropout_encoder: str, task: str, flags: str):
    """Same recipe, weights at the start, order, dropout and learning rates: so the score is the same number."""
    arguments, training_arguments = parsed(task, f"{flags} --model_name_or_path {tiny_dropout_encoder}")
    found = scout(arguments, training_arguments, "shared", layers=[1])
    arguments.fusion_layer = 1
    results = run(arguments, training_arguments)
    assert found.layer == 1 and results.fusion_layer == 1
    assert found.scores == {1: results.on_development}
    assert results.on_development > 20


# ---------------------------------------------------------------------------------------------------------------------
# Only the training language
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_nothing_but_training_and_development_data_of_the_training_language_is_opened(
    parsed, opened_files: list[str], xtreme_folder: Path, method: str
):
    scout(*parsed("udpos", "--num_train_epochs 1 --languages de,ru"), method=method)
    read = {Path(name) for name in opened_files if name.startswith(str(xtreme_folder))}
    assert read == {xtreme_folder / "udpos" / f"{split}-en.tsv" for split in ("train", "dev")}


def test_other_data_change_nothing(parsed, xtreme_folder: Path, tmp_path: Path):
    """Test data and target languages are noise in one folder and missing in the other."""
    found = [scout(*parsed("xnli", "--num_train_epochs 1"))]
    for name, change in (("noise", lambda file: file.write_bytes(b"\xff")), ("without", Path.unlink)):
        folder = tmp_path / name
        shutil.copytree(xtreme_folder, folder)
        for file in (folder / "xnli").glob("*.tsv"):
            if file.name not in ("train-en.tsv", "dev-en.tsv"):
                change(file)
        found.append(scout(*parsed("xnli", f"--num_train_epochs 1 --data {folder}")))
    assert [(one.layer, one.scores, one.losses) for one in found] == [
        (found[0].layer, found[0].scores, found[0].losses)
    ] * 3


def test_limits_are_those_of_the_run(parsed):
    arguments, _ = parsed("udpos", "--max_train_samples 7 --max_dev_samples 5 --max_eval_samples 3")
    data = training_language_data(arguments)
    assert (data.train_samples, len(data.development.rows)) == (7, 5)


# ---------------------------------------------------------------------------------------------------------------------
# What is found
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "j", "task"),
    rest_is_slow([*((method, 1, "udpos") for method in METHODS), ("shared", 0, "udpos"), ("shared", 2, "xnli")]),
)
def test_a_layer_that_stands_out_is_found(parsed, planted, method: str, j: int, task: str):
    flags = f"--model_name_or_path {planted(j)} --learning_rate 1e-6 --head_learning_rate 2e-2 --num_train_epochs 8"
    found = scout(*parsed(task, flags), method=method)
    assert found.layer == j and found.method == method
    others = [k for k in LAYERS if k != j]
    assert found.scores[j] > max(found.scores[k] for k in others) + 20


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(parsed, tiny_dropout_encoder: str, method: str):
    flags = f"--model_name_or_path {tiny_dropout_encoder} --num_train_epochs 1"
    once, again, other = (scout(*parsed("udpos", f"{flags} --seed {seed}"), method=method) for seed in (1, 1, 2))
    assert (once.layer, once.scores, once.losses) == (again.layer, again.scores, again.losses)
    assert once.losses != other.losses


def test_a_frozen_encoder_stays_as_it_is(parsed, tiny_dropout_encoder: str):
    """Neither learning rate nor dropout of the encoder matter."""
    given = parsed("udpos", f"--model_name_or_path {tiny_dropout_encoder}")
    arguments, _ = given
    data = training_language_data(arguments)
    base: Any = build_model(RunArguments(**{**vars(arguments), "fusion": "none"}), data.task)
    model = LayerModels(base.dlfa, layer_models(base, arguments, data), frozen=True).train()
    assert not model.dlfa.training and model.models[0].training
    assert not any(parameter.requires_grad for parameter in model.dlfa.parameters())
    slow, fast = (
        scout(*parsed("udpos", f"--learning_rate {rate} --num_train_epochs 1"), method="frozen")
        for rate in ("1e-9", "1e-2")
    )
    assert slow.losses == fast.losses
    given_rate = scout(*parsed("udpos", "--head_learning_rate 1e-2 --num_train_epochs 1"), method="frozen")
    assert given_rate.losses != slow.losses


def test_layers_to_choose_among(parsed):
    found = scout(*parsed("xnli", "--num_train_epochs 1"), layers=[2, 0])
    assert set(found.scores) == set(found.losses) == {0, 2} and found.layer in (0, 2)


def test_nothing_is_left_behind(parsed, tmp_path: Path):
    asked = "--eval_strategy steps --eval_steps 4 --save_strategy steps --save_steps 4 --report_to tensorboard"
    arguments, training_arguments = parsed("xnli", f"--num_train_epochs 1 {asked}")
    before = dict(vars(training_arguments))
    scout(arguments, training_arguments)
    assert not list((tmp_path / "out").rglob("*"))
    assert arguments.fusion_layer == "auto" and vars(training_arguments) == before


def test_divergence_is_one_line(parsed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scouting, "development_scores", lambda *_: ({0: 1.0, 1: 2.0}, {0: 1.0, 1: float("nan")}))
    with pytest.raises(InputError, match="scouting for the fusion layer has diverged: lower the learning rates"):
        scout(*parsed("xnli", "--max_train_samples 8 --num_train_epochs 1"))


@pytest.mark.parametrize(
    ("scores", "losses", "best"),
    [
        ({0: 50.0, 1: 51.0, 2: 50.5}, {0: 0.1, 1: 0.9, 2: 0.5}, 1),  # the score decides
        ({0: 50.0, 4: 51.0, 8: 51.0}, {0: 0.1, 4: 0.6, 8: 0.5}, 8),  # the loss breaks the tie
        ({3: 50.0, 5: 50.0, 7: 50.0}, {3: 0.5, 5: 0.5, 7: 0.5}, 3),  # the first of equal ones
    ],
)
def test_ties(scores: dict[int, float], losses: dict[int, float], best: int):
    assert best_layer(scores, losses) == best


def test_losses_are_cross_entropies():
    logits = torch.randn(4, 5, 3, 6, generator=torch.Generator().manual_seed(0))  # B, T, layers, C
    labels = torch.tensor([[1, -100, 2, -100, 5], [-100] * 5, [0, 0, 0, 1, 1], [3, -100, -100, -100, -100]])
    predicted, losses = predictions_and_losses(logits, labels)
    assert torch.equal(predicted, logits.argmax(-1)) and losses.shape == (4, 3)
    for place in range(3):
        expected = F.cross_entropy(logits[:, :, place].flatten(0, 1), labels.flatten())
        assert (losses[:, place].sum() / 9).item() == pytest.approx(expected.item(), rel=1e-6)
    predicted, losses = predictions_and_losses(logits[:, 0], labels[:, 0].clamp(min=0))
    assert predicted.shape == losses.shape == (4, 3)
    expected = F.cross_entropy(logits[:, 0, 1], labels[:, 0].clamp(min=0), reduction="none")
    torch.testing.assert_close(losses[:, 1], expected)


# ---------------------------------------------------------------------------------------------------------------------
# --fusion_layer
# ---------------------------------------------------------------------------------------------------------------------


def parse(argv: list[str]) -> RunArguments:
    command = CommandLine(argv)
    return command.arguments(command.tasks[0], command.fusions[-1], "out")[0]


@pytest.mark.parametrize(
    ("given", "layer"),
    [("auto", "auto"), ("0", 0), ("11", 11), ("-1", -1)],  # whether the encoder has it is checked with the encoder
)
def test_fusion_layer_is_a_number_or_auto(tmp_path: Path, given: str, layer: int | str):
    assert parse(["--fusion_layer", given]).fusion_layer == layer
    assert parse([f"--fusion_layer={given}"]).fusion_layer == layer
    path = tmp_path / "run.yaml"
    path.write_text(f"fusion_layer: {given}\n", encoding="utf-8")
    assert parse([str(path)]).fusion_layer == layer
    assert RunArguments(fusion_layer=layer).fusion_layer == layer


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--fusion_layer x", "--fusion_layer x: expected the number of a layer, several as '4,8', or 'auto'"),
        ("--fusion_layer 8.0", "--fusion_layer 8.0: expected the number of a layer, several as '4,8', or 'auto'"),
        ("--fusion_layer Auto", "--fusion_layer Auto: expected the number of a layer, several as '4,8', or 'auto'"),
        ("--fusion_layer true", "--fusion_layer true: expected"),
        ("--fusion_layer auto --fusion none", "--fusion_layer auto --fusion none: the baseline fuses no layer"),
        ("--fusion_layer auto --fusion dwatt", "--fusion_layer auto --fusion dwatt: it has no layer to choose"),
        ("--fusion_layer", "--fusion_layer"),
    ],
)
def test_mistakes_in_fusion_layer_are_one_line(argv: str, message: str):
    with pytest.raises(InputError) as caught:
        parse(argv.split())
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_the_baseline_beside_auto_has_no_layer():
    command = CommandLine(["--fusion_layer", "auto", "--compare_baseline"])
    layers = [command.arguments("udpos", fusion, "out")[0].fusion_layer for fusion in command.fusions]
    assert layers == [None, "auto"]


def test_layers_of_a_parser_are_not_scouted(parsed):
    with pytest.raises(InputError, match="uddep: layers are scouted for labels of words or pairs"):
        scout(*parsed("uddep", "--num_train_epochs 1"))
