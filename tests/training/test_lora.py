"""LoRA as a regime: what is adapted in every family, adapter and merged checkpoint, and how it is trained."""

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainingArguments

from modeling_dlfa.errors import InputError
from modeling_dlfa.publishing.checkpoint import read_checkpoint
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training import lora
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.layers import encoder_of
from modeling_dlfa.training.lora import open_adapter, target_modules
from modeling_dlfa.training.model import open_finished
from modeling_dlfa.training.regimes import get_regime
from modeling_dlfa.training.run import fit, score
from modeling_dlfa.training.trainer import DLFATrainer
from tests import forks
from tests.conftest import FAMILIES
from tests.test_run_xtreme import ENVIRONMENT, command
from tests.training.test_regimes import OTHERS, batch, begun, step, tiny


peft = pytest.importorskip("peft")

TARGETS = {
    "distilbert": ("q_lin", "v_lin"),
    "modernbert": ("Wqkv",),
    "deberta-v2": ("query_proj", "value_proj"),
    "t5": ("q", "v"),
    "gpt2": ("c_attn",),
}
ADAPTED = [*FAMILIES, *(family for family in OTHERS if family != "xlnet")]


@pytest.mark.parametrize("family", ADAPTED)
def test_query_and_value_are_adapted_in_every_layer(family: str):
    model = tiny(family)
    names = TARGETS.get(family, ("query", "value"))
    assert target_modules(encoder_of(model)) == names
    trained = begun("lora:2", model)
    assert type(trained) is peft.PeftModel
    adapted = {name.split(".lora_")[0] for name, _ in trained.named_parameters() if ".lora_" in name}
    layers = 1 if family == "albert" else 3  # its layers share their weights
    assert len(adapted) == layers * len(names) and {name.rpartition(".")[2] for name in adapted} == set(names)
    moved = step(trained) | step(trained)  # one half of every pair starts at 0: the other does not move at once
    whole = {name for name in moved if ".lora_" not in name}
    assert whole and all(".modules_to_save." in name for name in whole)
    assert {name.split(".modules_to_save.")[0].removeprefix("base_model.model.") for name in whole} == {
        "dlfa.fusion",
        "classifier",
    }
    assert {name.split(".lora_")[0] for name in moved - whole} == adapted


@pytest.mark.parametrize("family", ["bert", "gpt2", "modernbert"])
def test_merging_changes_no_logit(family: str, tmp_path: Path):
    model = tiny(family)
    names = set(model.state_dict())
    trained = begun("lora:4", model)
    for _ in range(2):
        step(trained)
    trained.eval()
    with torch.no_grad():
        expected = trained(**batch()).logits
        arguments = RunArguments(train="lora:4", model_name_or_path=str(tmp_path))
        merged = get_regime("lora:4").end(model, trained, arguments, tmp_path)
        assert merged is model and set(merged.state_dict()) == names
        torch.testing.assert_close(merged(**batch()).logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("fusion", ["aif", "none"])
def test_all_beside_the_encoder_is_trained_and_saved(fusion: str, norm: str, tmp_path: Path):
    changes = {"fusion_layer": None} if fusion == "none" else {}
    model = tiny("bert", **{"fusion": fusion, "input_norm": norm, **changes})
    expected = {"base_model.model." + name for name, _ in model.named_parameters() if "dlfa.encoder." not in name}
    trained = begun("lora", model)
    get_regime("lora").end(model, trained, RunArguments(train="lora", model_name_or_path="a/b"), tmp_path)
    saved = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {name for name in saved if ".lora_" not in name} == expected


def test_learning_rates_keep_to_their_parts(tmp_path: Path):
    trained = begun("lora", tiny("bert"))
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, learning_rate=1e-4)
    trainer = DLFATrainer(model=trained, args=arguments, head_learning_rate=1e-2, fusion_learning_rate=1e-3)
    names = {id(parameter): name for name, parameter in trained.named_parameters()}
    found: dict[float, set[str]] = {}
    for group in trainer.create_optimizer().param_groups:
        found.setdefault(group["lr"], set()).update(names[id(parameter)] for parameter in group["params"])
    part = {1e-4: ".lora_", 1e-3: ".dlfa.fusion.modules_to_save.", 1e-2: ".classifier.modules_to_save."}
    assert found.keys() == part.keys()
    assert all(part[rate] in name for rate, group in found.items() for name in group)


def test_without_peft(argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(sys.modules, "peft", None)
    assert main(argv("pawsx", tmp_path / "out", "--train lora")) == 2
    error = capsys.readouterr().err
    assert "--train lora needs peft" in error and 'pip install -c constraints.txt -e ".[lora]"' in error
    assert error.count("\n") == 1 and not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------------------------------------------
# What a run leaves
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(argv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an objective, accumulated batches, and the best of several checkpoints."""
    output = tmp_path_factory.mktemp("lora") / "out"
    flags = "--train lora:4 --gradient_accumulation_steps 2 --num_train_epochs 8 --eval_steps 8"
    assert main([*argv("udpos", output, flags), "--objectives", '{"r_drop": 0.5}']) == 0
    return output


def test_it_learns_and_leaves_an_adapter_and_a_merged_checkpoint(finished: Path):
    results = json.loads((finished / "all_results.json").read_text(encoding="utf-8"))
    assert (
        not results["chance_level"]
        and results["scores"]["de"] > 25
        and results["training"]["selection"] == "best on development data"
    )
    assert results["training"]["objectives"] == {"r_drop": 0.5}
    files = sorted(path.name for path in (finished / "adapter").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors", "config.json"]
    merged = open_finished(finished, TASKS["udpos"]).eval()
    adapted = open_adapter(finished / "adapter")
    with torch.no_grad():
        one, two = (model(**_words()).logits for model in (merged, adapted))
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_what_is_merged_is_scored_in_the_precision_of_the_run(argv, tmp_path: Path):
    line = CommandLine(argv("pawsx", tmp_path / "out", "--train lora:2 --bf16 true --max_steps 2"))
    fitted = fit(*line.arguments("pawsx", "aif", tmp_path / "out"))
    computed: list[bool] = []
    inside = cast(Any, fitted.trainer.model).dlfa
    inside.register_forward_pre_hook(lambda *_: computed.append(torch.is_autocast_enabled("cpu")))
    score(fitted.trainer, fitted.data)
    assert computed and all(computed)


def _words() -> dict[str, Any]:
    given = batch()
    return {"input_ids": given["input_ids"] % 20 + 4, "attention_mask": given["attention_mask"]}


IN_A_FRESH_PROCESS = """
import json, sys
import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModel
from modeling_dlfa import DLFAConfig, DLFAForTokenClassification
from modeling_dlfa.training.lora import open_adapter

folder, inputs = sys.argv[1], {name: torch.tensor(values) for name, values in json.loads(sys.argv[2]).items()}
name = PeftConfig.from_pretrained(folder).base_model_name_or_path
encoder = AutoModel.from_pretrained(name, add_pooling_layer=False)
by_hand = PeftModel.from_pretrained(DLFAForTokenClassification(DLFAConfig.from_pretrained(folder), encoder), folder)
with torch.no_grad():
    print(json.dumps([model.eval()(**inputs).logits.tolist() for model in (by_hand, open_adapter(folder))]))
"""


def test_the_adapter_opens_in_a_fresh_process(finished: Path):
    inputs = {name: one.tolist() for name, one in _words().items()}
    command = ["-c", IN_A_FRESH_PROCESS, finished / "adapter", json.dumps(inputs)]
    done = forks.run(command, environment=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-3000:]
    with torch.no_grad():
        expected = open_finished(finished, TASKS["udpos"]).eval()(**_words()).logits
    for logits in json.loads(done.stdout):
        torch.testing.assert_close(torch.tensor(logits), expected, rtol=1e-4, atol=1e-4)


def test_an_adapter_that_cannot_be_opened(finished: Path, tmp_path: Path, encoder_folder):
    with pytest.raises(InputError, match=r"holds no adapter, expected adapter/ in the folder of a run"):
        open_adapter(finished)
    with pytest.raises(InputError, match="does not fit the encoder"):
        open_adapter(finished / "adapter", encoder_folder("distilbert"))


def test_the_adapter_stays_here_when_the_run_is_published(finished: Path):
    checkpoint = read_checkpoint(finished, "user/lora")
    assert "adapter" in checkpoint.left_out and not any("adapter" in name for name in checkpoint.files)
    assert b"fusion and head, and LoRA of rank 4 on the encoder" in cast(bytes, checkpoint.files["README.md"])


def test_a_run_goes_on_from_it_as_from_any_other(argv, finished: Path, tmp_path: Path):
    flags = f"--model_name_or_path {finished} --max_steps 2 --eval_strategy no --languages de --train lora:2"
    assert main(argv("pawsx", tmp_path / "out", flags)) == 0
    adapted = open_adapter(tmp_path / "out" / "adapter")
    assert adapted.peft_config["default"].base_model_name_or_path == str(finished)


WITHOUT_DROPOUT = """
import sys
from modeling_dlfa.training import lora
from modeling_dlfa.training.__main__ import main

lora.DROPOUT = 0.0
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_two_processes(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By plain gradient descent, as the test of ordinary runs, and without dropout, drawn by each process."""
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_DROPOUT, encoding="utf-8")
    monkeypatch.setattr(lora, "DROPOUT", 0.0)
    flags = "--train lora:2 --optim sgd --learning_rate 0.1 --head_learning_rate 0.2 --num_train_epochs 2"
    flags += " --eval_steps 6 --languages en,de --max_train_samples 58 --warm_start --per_device_train_batch_size"

    def argv(name: str, size: int) -> list[str]:
        return command("udpos", tmp_path / name, tiny_encoder, xtreme_folder, f"{flags} {size}")

    done = forks.run_two([script, *argv("two", 4)], environment=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert main(argv("one", 8)) == 0
    for file in ("model.safetensors", "adapter/adapter_model.safetensors"):
        first, second = (load_file(tmp_path / name / file) for name in ("one", "two"))
        assert first.keys() == second.keys()
        for name in first:
            torch.testing.assert_close(first[name], second[name], atol=1e-4, rtol=0, msg=name)
