"""What is trained: which weights move, what is refused, and that runs, stages, studies and scouting all heed it."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, TrainingArguments

import modeling_dlfa
from modeling_dlfa.configuration_dlfa import DLFAConfig
from modeling_dlfa.errors import InputError
from modeling_dlfa.modeling_dlfa import DLFAForTokenClassification
from modeling_dlfa.study.__main__ import main as study
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.card import model_card
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.layers import encoder_of, layers_of
from modeling_dlfa.training.model import open_finished
from modeling_dlfa.training.regimes import Regime, check_regime, get_regime, register_regime
from modeling_dlfa.training.results import RunResults, results_table
from modeling_dlfa.training.scout import scout
from tests.conftest import FAMILIES, TINY
from tests.marks import rest_is_slow
from tests.training.test_run import files, same_weights, scores


# ---------------------------------------------------------------------------------------------------------------------
# The upper layers, in every family
# ---------------------------------------------------------------------------------------------------------------------

# What a tiny encoder of other families needs; and how families call their last layer, and what is behind it.
OTHERS = {
    "longformer": {"attention_window": [4, 4, 4]},
    "xlnet": {"d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 37},
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 3, "num_heads": 4},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 40, "bos_token_id": 0, "eos_token_id": 2},
    "xlm-roberta-xl": {"type_vocab_size": 1},
    "albert": {"embedding_size": 16},
}
LAST = {
    "distilbert": {"transformer.layer.2"},
    "modernbert": {"layers.2", "final_norm"},
    "xlnet": {"layer.2"},
    "t5": {"encoder.block.2", "encoder.final_layer_norm"},
    "gpt2": {"h.2", "ln_f"},
    "xlm-roberta-xl": {"encoder.layer.2", "encoder.LayerNorm"},
}


def tiny(family: str, **changes: Any) -> Any:
    """A tagger around a tiny encoder of any family, layer 1 of three fused."""
    given = {**TINY, **(FAMILIES[family] if family in FAMILIES else OTHERS[family])}
    if family in ("xlnet", "t5", "gpt2"):  # other names for the same
        given = {name: given[name] for name in given if name not in TINY} | {"vocab_size": 64, "pad_token_id": 1}
    torch.manual_seed(0)
    config = DLFAConfig(
        encoder_config=AutoConfig.for_model(family, **given),
        id2label=dict(enumerate("abc")),
        label2id={label: place for place, label in enumerate("abc")},
        **{"fusion": "aif", "fusion_layer": 1, **changes},
    )
    return DLFAForTokenClassification(config).eval()


def begun(regime: str, model: Any) -> Any:
    """What the Trainer would get."""
    trained, _ = get_regime(regime).begin(model, None, None, None)  # pyright: ignore[reportArgumentType]
    return trained


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 60, (2, 8), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": ids % 3}


def step(model: Any) -> set[str]:
    """The weights that one step of an optimizer moves."""
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=1.0)
    model(**batch()).loss.backward()
    optimizer.step()
    return {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}


@pytest.mark.parametrize("family", [*FAMILIES, *(family for family in OTHERS if family != "albert")])
def test_the_last_layer_is_trained_and_no_gradient_goes_below(family: str):
    model = tiny(family)
    assert begun("top:1", model) is model
    needs_gradient = []
    lower = layers_of(encoder_of(model))[1]
    lower.register_forward_hook(lambda _, __, out: needs_gradient.append(_state(out).requires_grad))
    moved = step(model)
    assert needs_gradient == [False]
    of_encoder = {name.removeprefix("dlfa.encoder.") for name in moved if name.startswith("dlfa.encoder.")}
    expected = LAST.get(family, {"encoder.layer.2"})
    for name in of_encoder:
        assert any(name.startswith(f"{part}.") for part in expected), name
    for part in expected:
        assert any(name.startswith(f"{part}.") for name in of_encoder), part
    assert {name.split(".")[0] for name in moved - {f"dlfa.encoder.{name}" for name in of_encoder}} == {
        "dlfa",
        "classifier",
    }
    for name, parameter in model.named_parameters():
        lies_below = name.startswith("dlfa.encoder.") and not any(part in name for part in expected)
        assert not lies_below or (parameter.grad is None and not parameter.requires_grad), name


def _state(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]


def test_looking_for_what_is_behind_leaves_no_trace():
    model = tiny("modernbert").train()
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()]
    begun("top:2", model)
    assert [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()] == hooks
    assert model.training and encoder_of(model).training


# ---------------------------------------------------------------------------------------------------------------------
# What is refused
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--train top", "--train top: expected one of all, lora[:R], top:N, fusion"),
        ("--train top:0", "with whole numbers above 0"),
        ("--train top:3", "this bert encoder has 3 layers, expected fewer; --train all trains all of them"),
        ("--train fusion:2", "--train fusion:2: expected one of"),
        ("--train lora:", "--train lora:: expected one of"),
        ("--train lora:33", "--train lora:33: expected a rank of at most 32, the width of the encoder"),
        ("--train fusion --warm_start", "--warm_start --train fusion: nothing more would be trained after it"),
        ("--train fusion --neftune_noise_alpha 5", "--train fusion --neftune_noise_alpha: states are computed once"),
        ("--warm_start --neftune_noise_alpha 5", "--warm_start --neftune_noise_alpha: states are computed once"),
        ("--train fusion --bf16_full_eval", "--train fusion --bf16_full_eval: fusion and head score in 32 bits"),
        ("--average_checkpoints 1", "--average_checkpoints 1: expected a number of at least 2, or 0"),
        (
            "--average_checkpoints 2 --load_best_model_at_end --eval_strategy steps",
            "--average_checkpoints 2 --load_best_model_at_end: one checkpoint is the result, or the mean of several",
        ),
        (
            "--average_checkpoints 9 --max_steps 4",
            "--average_checkpoints 9: this training has 4 updates alone",
        ),
    ],
)
def test_refused_in_one_line(argv, tmp_path: Path, flags: str, message: str, capsys):
    assert main(argv("pawsx", tmp_path / "out", flags)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("regime", "family", "message"),
    [
        ("top:1", "albert", "this albert encoder does not keep its 3 layers in a list of their own"),
        ("lora", "xlnet", "this xlnet encoder has no linear maps of query and value under a name that is known"),
    ],
)
def test_families_that_cannot_be_trained_so(regime: str, family: str, message: str):
    with pytest.raises(InputError, match=message):
        get_regime(regime).check(RunArguments(train=regime), tiny(family).config)


@pytest.mark.parametrize("given", [{"train": "lora"}, {"warm_start": True}, {"average_checkpoints": 2}])
def test_weights_that_are_shared_out_are_refused(given: dict[str, Any], tmp_path: Path):
    arguments = TrainingArguments(str(tmp_path), use_cpu=True)
    config = tiny("bert").config
    check_regime(RunArguments(**given), config, arguments)
    arguments.fsdp = [True]  # pyright: ignore
    with pytest.raises(InputError, match=f"--fsdp --{next(iter(given))}.*: it needs the weights whole"):
        check_regime(RunArguments(**given), config, arguments)
    check_regime(RunArguments(), config, arguments)


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="there is a regime 'top' already: Top"):
        register_regime("top")(Regime)


# ---------------------------------------------------------------------------------------------------------------------
# Arguments
# ---------------------------------------------------------------------------------------------------------------------


def test_one_regime_has_one_name():
    plain, said = (CommandLine(["--train", name]) for name in ("lora", "lora:8"))
    assert plain.settings("udpos", "aif") == said.settings("udpos", "aif")
    assert plain.arguments("udpos", "aif", "out")[0].train == RunArguments(train="lora").train == "lora:8"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--train lora", {"learning_rate": 5e-4, "freeze_embeddings": False}),
        ("--train lora --learning_rate 1e-3", {"learning_rate": 1e-3}),
        ("--train top:4", {"learning_rate": 1e-4, "freeze_embeddings": False}),
        ("--train fusion", {"learning_rate": 5e-3, "head_learning_rate": None}),
        ("--data hub --train lora --task xnli", {"learning_rate": 5e-4, "load_best_model_at_end": True}),
        (
            "--data hub --average_checkpoints 3",
            {"load_best_model_at_end": False, "save_strategy": "no", "eval_strategy": "no"},
        ),
        (
            "--data hub --average_checkpoints 3 --eval_steps 7 --save_steps 7",
            {"load_best_model_at_end": False, "save_strategy": "steps", "eval_strategy": "steps", "save_steps": 7},
        ),
        ("--data hub --average_checkpoints 0", {"load_best_model_at_end": True, "save_strategy": "best"}),
    ],
)
def test_defaults_follow(flags: str, expected: dict[str, Any]):
    command = CommandLine(flags.split())
    run, training = command.arguments(command.tasks[0], "aif", "out")
    values = {**vars(training), **vars(run)}
    assert {name: values[name] for name in expected} == expected


# ---------------------------------------------------------------------------------------------------------------------
# Runs
# ---------------------------------------------------------------------------------------------------------------------


def of_encoder(folder: Path) -> dict[str, torch.Tensor]:
    saved = load_file(folder / "model.safetensors")
    return {name.removeprefix("dlfa.encoder."): one for name, one in saved.items() if name.startswith("dlfa.encoder.")}


MOVES = {"top:1": r"encoder.layer.2.", "lora:2": ".attention.self.", "fusion": None}


@pytest.mark.crossed("task", "regime")
@pytest.mark.parametrize("task", ["pawsx", "panx", "uddep"])
@pytest.mark.parametrize("regime", MOVES)
def test_a_run(argv, tiny_encoder: str, tmp_path: Path, regime: str, task: str, capsys):
    flags = f"--train {regime} --num_train_epochs 2 --learning_rate 2e-3 --eval_strategy no --languages de"
    output = tmp_path / "out"
    assert main(argv(task, output, flags)) == 0
    assert f"trained: {regime}" in capsys.readouterr().out.replace("\n", " ")
    results = RunResults.load(output)
    assert results.training["train"] == regime
    before, after = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False).state_dict(), of_encoder(output)
    moved = {name for name, one in after.items() if not torch.equal(one, before[name])}
    part = MOVES[regime]
    assert bool(moved) == (part is not None)
    assert all(part is not None and part in name for name in moved)
    model = open_finished(output, TASKS[task])
    assert not any("lora" in name or "modules_to_save" in name for name in model.state_dict())
    assert main(["--do_train", "false", "--model_name_or_path", str(output), *_scored_as(argv, task, tmp_path)]) == 0
    rounding = 3 if regime == "fusion" else 1e-6  # states of 16 bits move the answers to a few rows
    assert RunResults.load(tmp_path / "again").scores == pytest.approx(results.scores, abs=rounding)


def _scored_as(argv, task: str, tmp_path: Path) -> list[str]:
    values = argv(task, tmp_path / "again", "--languages de")
    place = values.index("--model_name_or_path")
    return [*values[:place], *values[place + 2 :]]


SAVED = "--save_strategy steps --save_steps 3 --eval_strategy no --max_steps 10"
BEST = "--save_strategy steps --save_steps 3 --eval_steps 3 --max_steps 10"


@pytest.mark.parametrize(
    ("task", "flags", "stop", "checkpoint"),
    rest_is_slow(
        [
            ("pawsx", f"--train top:2 --freeze_embeddings {BEST}", 8, "checkpoint-6"),
            ("panx", f"--train lora:2 {BEST}", 8, "checkpoint-6"),
            ("uddep", f"--train lora:2 --warm_start {SAVED}", 5, "checkpoint-3"),
            ("panx", f"--warm_start {BEST}", 8, "checkpoint-6"),
            ("pawsx", f"--train top:1 --warm_start --average_checkpoints 3 {SAVED}", 9, "checkpoint-6"),
            ("panx", f"--train lora:2 --average_checkpoints 4 {SAVED}", 4, "checkpoint-3"),
            ("uddep", f"--train fusion --average_checkpoints 2 {SAVED}", 8, "checkpoint-6"),
            ("pawsx", f"--warm_start --average_checkpoints 5 {SAVED}", 2, None),  # it begins again
        ]
    ),
)
def test_resuming_comes_to_the_same_result(
    argv,
    tiny_dropout_encoder: str,
    tmp_path: Path,
    interrupt_at,
    task: str,
    flags: str,
    stop: int,
    checkpoint,
    monkeypatch: pytest.MonkeyPatch,
):
    flags = f"--model_name_or_path {tiny_dropout_encoder} --languages de --learning_rate 1e-3 {flags}"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(argv(task, whole, flags)) == 0
    if "--warm_start" in flags:
        monkeypatch.setattr(*_main_training_alone(interrupt_at, stop))
    else:
        interrupt_at(stop)
    assert main(argv(task, broken, flags)) == 130
    assert checkpoint is None or (broken / checkpoint).is_dir()
    monkeypatch.undo()
    if "--warm_start" in flags and checkpoint is not None:
        monkeypatch.setattr("modeling_dlfa.training.run.warm_start", _never)
    assert main(argv(task, broken, f"{flags} --resume_from_checkpoint last")) == 0
    assert scores(broken) == scores(whole)
    assert same_weights(broken, whole)
    assert files(broken) == files(whole)


def _never(*_: Any) -> int:
    raise AssertionError("fusion and head were trained before")


def _main_training_alone(interrupt_at: Callable[[int], None], step: int) -> tuple[str, Any]:
    """Let the main training be stopped at a step, not the one before it."""
    from modeling_dlfa.training import run as run_module

    real = run_module.warm_start

    def first(*given: Any) -> int:
        steps = real(*given)
        interrupt_at(step)
        return steps

    return "modeling_dlfa.training.run.warm_start", first


def test_a_warm_start_begins_with_what_fusion_alone_ends_with(argv, tiny_dropout_encoder: str, tmp_path: Path):
    """A main training that changes nothing leaves the run of --train fusion; its batches are those of the baseline."""
    common = f"--model_name_or_path {tiny_dropout_encoder} --languages de --eval_strategy no --num_train_epochs 2"
    warm = f"{common} --learning_rate 0 --head_learning_rate 0 --warm_start"
    alone = f"{common} --train fusion"
    assert main(argv("panx", tmp_path / "warm", warm)) == 0 == main(argv("panx", tmp_path / "alone", alone))
    assert same_weights(tmp_path / "warm", tmp_path / "alone")
    results = RunResults.load(tmp_path / "warm")
    assert results.training["warm_start_steps"] == results.training["steps"] > 0
    assert "warm_start_steps" not in RunResults.load(tmp_path / "alone").training


def test_card_and_table(argv, tmp_path: Path):
    flags = "--train top:2 --warm_start --average_checkpoints 2 --max_steps 4 --languages de"
    assert main(argv("pawsx", tmp_path / "out", flags)) == 0
    results = RunResults.load(tmp_path / "out")
    card = str(model_card(results))
    assert "- Trained: fusion and head, and the last 2 layers of the encoder." in card
    assert "- warm_start_steps: 4" in card and "- selection: mean of 2 checkpoints, updates 2, 4" in card
    assert str(results_table([results]).title).endswith("seed 42 · trained: top:2")


def test_stages_and_runs_from_python(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    """A stage may train something else than the run of the target task."""
    results = modeling_dlfa.run(
        "pawsx",
        output_dir=tmp_path / "runs" / "out",
        data=xtreme_folder,
        model_name_or_path=tiny_encoder,
        train="top:1",
        intermediate_tasks="udpos",
        intermediate_arguments={"train": "lora:2", "max_steps": 3},
        max_steps=2,
        max_length=16,
        languages=["de"],
        pooling="mean",
        use_cpu=True,
        eval_strategy="no",
    )
    assert results.training["train"] == "top:1"
    (stage,) = (tmp_path / "runs" / "stages").glob("udpos-*[0-9a-f]")
    assert RunResults.load(stage).training["train"] == "lora:2"
    before, after = of_encoder(stage), of_encoder(tmp_path / "runs" / "out")
    assert all("encoder.layer.2." in name for name in before if not torch.equal(before[name], after[name]))


def test_an_encoder_may_be_frozen_after_its_stage(argv, tmp_path: Path, capsys):
    """What the error of a frozen stage advises."""
    arguments = json.dumps({"train": "all", "fusion": "none", "learning_rate": 1e-3})
    flags = ["--intermediate_tasks", "udpos", "--intermediate_arguments", arguments]
    plain = argv("pawsx", tmp_path / "out", f"--train fusion --states_dir {tmp_path / 'states'} --max_steps 2")
    assert main([*plain, *flags]) == 0, capsys.readouterr().err
    (stage,) = (tmp_path / "stages").glob("udpos-*[0-9a-f]")
    before, after = of_encoder(stage), of_encoder(tmp_path / "out")
    assert before and all(torch.equal(before[name], after[name]) for name in before)
    (summary,) = RunResults.load(tmp_path / "out").intermediate
    assert (summary["fusion"], summary["fusion_carried"]) == ("none", False)


def test_a_stage_that_cannot_be_trained_is_refused_before(argv, tmp_path: Path, capsys):
    arguments = json.dumps({"train": "top:7"})
    flags = ["--intermediate_tasks", "udpos", "--intermediate_arguments", arguments]
    assert main([*argv("pawsx", tmp_path / "out"), *flags]) == 2
    assert "--train top:7: this bert encoder has 3 layers" in capsys.readouterr().err


def test_a_study(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, capsys):
    pytest.importorskip("optuna")
    text = {
        "tasks": ["pawsx"],
        "models": {
            "small": {"fusion": "aif", "fusion_layer": 1},
            "upper": {"fusion": "aif", "fusion_layer": 1, "train": "top:1"},
        },
        "encoders": [tiny_encoder],
        "seeds": [1],
        "output_dir": str(tmp_path / "study"),
        "arguments": {
            "data": str(xtreme_folder),
            "train": "lora:2",
            "max_steps": 2,
            "max_length": 16,
            "pooling": "mean",
            "languages": "de",
            "use_cpu": True,
            "eval_strategy": "no",
        },
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    assert study(["run", str(tmp_path / "study.yaml")]) == 0, capsys.readouterr().err
    found = {path.parent.name: RunResults.load(path) for path in tmp_path.rglob("runs/**/all_results.json")}
    assert {name: results.training["train"] for name, results in found.items()} == {
        "baseline-seed1": "lora:2",
        "small-seed1": "lora:2",
        "upper-seed1": "top:1",
    }
    assert not list(tmp_path.rglob("*.safetensors"))  # the weights are not kept
    text["models"]["upper"]["train"] = "top:3"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    assert study(["run", str(tmp_path / "study.yaml")]) == 2
    assert "--train top:3" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------------
# Scouting
# ---------------------------------------------------------------------------------------------------------------------


def asked(argv, tmp_path: Path, flags: str) -> tuple[RunArguments, TrainingArguments]:
    command = CommandLine(argv("udpos", tmp_path / "out", f"--eval_strategy no --fusion_layer auto {flags}"))
    return command.arguments("udpos", "aif", tmp_path / "out")


def test_scouting_for_fusion_alone_reads_states(argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The encoder runs once over the rows; found is what the method finds without states, but for 16 bits."""
    frozen = scout(*asked(argv, tmp_path, "--learning_rate 1e-3 --head_learning_rate 1e-3"), method="frozen")
    calls: list[int] = []
    encoder = type(AutoModel.from_config(AutoConfig.for_model("bert", **TINY), add_pooling_layer=False))
    forward = encoder.forward

    @functools.wraps(forward)
    def counted(self, *given: Any, **named: Any):
        calls.append(len(named["input_ids"]))
        return forward(self, *given, **named)

    monkeypatch.setattr(encoder, "forward", counted)
    flags = f"--train fusion --learning_rate 1e-3 --states_dir {tmp_path / 'states'}"
    kept = scout(*asked(argv, tmp_path, flags))
    assert kept.method == "frozen" and kept.losses == pytest.approx(frozen.losses, rel=1e-2)
    first = sum(calls)
    calls.clear()
    assert scout(*asked(argv, tmp_path, flags)).losses == kept.losses
    assert sum(calls) < first / 3  # what is left are the probes of a new model
    with pytest.raises(InputError, match="scouting by 'shared' trains the encoder, which --train fusion does not"):
        scout(*asked(argv, tmp_path, flags), method="shared")


@pytest.mark.parametrize("regime", ["top:1", "lora:2"])
def test_scouting_trains_what_the_run_trains(argv, tmp_path: Path, regime: str, monkeypatch: pytest.MonkeyPatch):
    from modeling_dlfa.training import scout as scouting

    trainers = []
    real = scouting.quiet_trainer

    def noted(model: Any, *given: Any):
        names = {name for name, one in model.named_parameters() if one.requires_grad}
        trainers.append((names, real(model, *given)))
        return trainers[-1][1]

    monkeypatch.setattr(scouting, "quiet_trainer", noted)
    found = scout(*asked(argv, tmp_path, f"--train {regime}"))
    assert found.method == "shared" and len(found.scores) == 3
    ((names, trainer),) = trainers
    of_encoder = {name for name in names if name.startswith("dlfa.encoder.")}
    part = {"top:1": "encoder.layer.2.", "lora:2": ".lora_"}[regime]
    assert of_encoder and all(part in name for name in of_encoder)
    heads = {name.split(".")[1] for name in names if name.startswith("models.")}
    assert heads == {"0", "1", "2"}
    assert not list((tmp_path / "out").rglob("*"))
