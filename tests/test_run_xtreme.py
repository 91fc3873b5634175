"""The script itself, in real processes: a kill and a resume, two processes, Ctrl-C, a reload without the package."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from modeling_dlfa.training.__main__ import main
from tests import forks
from tests.elsewhere import run_elsewhere


SCRIPT = Path(__file__).resolve().parents[1] / "run_xtreme.py"
SHORT = ["--max_length", "16", "--learning_rate", "5e-3", "--pooling", "mean", "--use_cpu", "--disable_tqdm", "true"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parent)}


def command(task: str, output: Path, encoder: str, data: Path, flags: str = "") -> list[str]:
    argv = ["--task", task, "--output_dir", str(output), "--model_name_or_path", encoder, "--data", str(data)]
    return [*argv, *SHORT, *flags.split()]


def execute(arguments: list[str], launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *launcher, str(SCRIPT), *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def scores(folder: Path) -> dict:
    values = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name != "train_runtime"}


# Ends its own process for good in the middle of a step, as a power cut would.
KILLED = """
import os, runpy, signal, sys
from transformers import DefaultFlowCallback

def on_step_end(self, args, state, control, original=DefaultFlowCallback.on_step_end, **kwargs):
    if state.global_step == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, args, state, control, **kwargs)

DefaultFlowCallback.on_step_end = on_step_end
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_a_killed_run_goes_on(tiny_dropout_encoder: str, xtreme_folder: Path, tmp_path: Path):
    flags = "--num_train_epochs 2 --per_device_train_batch_size 8 --save_strategy steps --save_steps 3 --eval_steps 3"

    def argv(name: str, more: str = "") -> list[str]:
        return command("pawsx", tmp_path / name, tiny_dropout_encoder, xtreme_folder, f"{flags} {more}")

    killed = execute(argv("broken"), ("-c", KILLED))
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "broken" / "checkpoint-9").is_dir()
    # In processes of their own too: the number of threads decides the last bits of a sum.
    for arguments in (argv("broken", "--resume_from_checkpoint last"), argv("whole")):
        done = forks.run([SCRIPT, *arguments], environment=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "broken") == scores(tmp_path / "whole")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("broken", "whole"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# In a shell `torchrun --standalone --nproc_per_node 2 run_xtreme.py`, which is also what
# `accelerate launch --multi_gpu --num_processes 2 run_xtreme.py --use_cpu` comes to.
TWO_PROCESSES = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.slow
def test_two_processes(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    """The last batch of an epoch holds a single row here, less than there are processes.

    By plain gradient descent, because Adam makes much of the rounding of small gradients.
    """
    flags = "--optim sgd --learning_rate 0.1 --head_learning_rate 0.2 --num_train_epochs 3 --eval_steps 6"

    def argv(name: str, batch: int) -> list[str]:
        more = f"{flags} --languages en,de,ru --max_train_samples 58 --per_device_train_batch_size {batch}"
        return command("udpos", tmp_path / name, tiny_encoder, xtreme_folder, more)

    done = execute(argv("two", 4), TWO_PROCESSES)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("zero-shot average") == 1, "the table is printed once"
    assert main(argv("one", 8)) == 0
    one, two = tmp_path / "one", tmp_path / "two"
    assert scores(two) == scores(one)
    first, second = (load_file(folder / "model.safetensors") for folder in (one, two))
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=1e-4, rtol=0, msg=name)
    names = [{path.relative_to(folder) for path in folder.rglob("*")} for folder in (one, two)]
    assert names[0] == names[1]


def test_control_c(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    argv = command(
        "udpos", tmp_path / "out", tiny_encoder, xtreme_folder, "--num_train_epochs 1000 --eval_strategy no"
    )
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *argv, "--save_strategy", "steps", "--save_steps", "5"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it in what runs behind
    )
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("out/checkpoint-*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=180)
    finally:
        process.kill()
    assert (process.returncode, error.strip()) == (130, "interrupted")
    assert not (tmp_path / "out" / "all_results.json").exists()


def test_a_mistake(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    done = execute(command("udpos", tmp_path / "out", tiny_encoder, xtreme_folder, "--fusion_layer 9"))
    assert (done.returncode, done.stdout) == (2, "")
    message = "fusion_layer=9: this bert encoder has 3 layers, expected 0 (embeddings) to 2"
    assert done.stderr == f"error: cannot build the model: {message}\n"


# Predicts with what any user has: the folder, transformers and the predictions' own source files.
RELOAD = """
import torch
from pathlib import Path
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers import AutoTokenizer

pairs, tags, data = map(Path, sys.argv[1:])

def open_checkpoint(auto_class, folder):
    return auto_class.from_pretrained(folder, trust_remote_code=True).eval(), AutoTokenizer.from_pretrained(
        folder, trust_remote_code=True
    )

def label(model, logits):
    return model.config.id2label[logits.argmax().item()]

model, tokenizer = open_checkpoint(AutoModelForSequenceClassification, pairs)
predicted = (pairs / "predictions/pawsx/test-de.tsv").read_text(encoding="utf-8").splitlines()
lines = (data / "pawsx/test-de.tsv").read_text(encoding="utf-8").splitlines()
for line, expected in zip(lines, predicted, strict=True):
    inputs = tokenizer(*line.split("\\t")[:2], truncation="longest_first", max_length=16, return_tensors="pt")
    with torch.no_grad():
        assert label(model, model(**inputs).logits[0]) == expected

model, tokenizer = open_checkpoint(AutoModelForTokenClassification, tags)
predicted = (tags / "predictions/udpos/test-de.tsv").read_text(encoding="utf-8").split("\\n\\n")
sentences = (data / "udpos/test-de.tsv").read_text(encoding="utf-8").strip().split("\\n\\n")
compared = 0
for sentence, expected in zip(sentences, predicted, strict=True):
    words = [line.split("\\t")[0] for line in sentence.splitlines()]
    inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    if inputs.input_ids.shape[1] > 16:
        continue  # split into several rows by the run
    with torch.no_grad():
        logits = model(**inputs).logits[0]
    firsts = [inputs.word_ids().index(word) for word in range(len(words))]
    assert [label(model, logits[place]) for place in firsts] == expected.split()
    compared += 1
assert compared > 5

body = AutoModel.from_pretrained(tags, trust_remote_code=True)
assert body(**inputs).last_hidden_state.shape[-1] == 32
assert AutoConfig.from_pretrained(pairs, trust_remote_code=True).fusion == "aif"
assert not any(name == "modeling_dlfa" and module for name, module in sys.modules.items())
print(compared, "sentences agree")
"""


@pytest.mark.slow
def test_reload_without_the_package(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    for task in ("pawsx", "udpos"):
        argv = command(task, tmp_path / task, tiny_encoder, xtreme_folder, "--num_train_epochs 2 --languages de")
        assert main(argv) == 0
    folders = (tmp_path / "pawsx", tmp_path / "udpos", xtreme_folder)
    printed = run_elsewhere(RELOAD, *folders, cwd=tmp_path, environment=ENVIRONMENT, from_nothing=True)
    assert re.search(r"^\d+ sentences agree$", printed, re.MULTILINE)


@pytest.mark.slow
def test_the_embedded_encoder_on_the_sample(embedded_encoder: str, tmp_path: Path):
    """A short cut of the main job: far from its scores, but above chance in other languages and scripts."""
    flags = (
        "--max_train_samples 200 --max_eval_samples 20 --num_train_epochs 1 --languages en,de,ru --disable_tqdm true"
    )
    assert main(["--task", "udpos", "--output_dir", str(tmp_path / "out"), *flags.split()]) == 0
    results = scores(tmp_path / "out")
    assert (results["encoder"], results["data"], results["fusion_layer"]) == ("embedded", "sample", 8)
    assert results["chance_level"] == []
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "base_model: intfloat/multilingual-e5-small" in card
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["encoder_config"]["_name_or_path"] == "intfloat/multilingual-e5-small"


@pytest.mark.slow
def test_the_sample_is_a_task(embedded_encoder: str, tmp_path: Path):
    """Pretraining is what transfers: the same training of a random encoder stays far behind in other languages."""
    random_encoder = tmp_path / "random"
    shutil.copytree(embedded_encoder, random_encoder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = AutoConfig.from_pretrained(embedded_encoder)
    AutoModel.from_config(config, add_pooling_layer=False).save_pretrained(random_encoder)
    accuracy = {}
    for encoder in (embedded_encoder, str(random_encoder)):
        output = tmp_path / f"run-{len(accuracy)}"
        flags = "--fusion none --pooling mean --languages de,ru,zh --disable_tqdm true"
        flags += " --max_train_samples 400 --max_eval_samples 50"
        assert main([*flags.split(), "--model_name_or_path", encoder, "--output_dir", str(output)]) == 0
        metrics = json.loads((output / "all_results.json").read_text(encoding="utf-8"))["all_metrics"]
        accuracy[encoder] = sum(values["accuracy"] for values in metrics.values()) / len(metrics)
    assert accuracy[embedded_encoder] > 60
    assert accuracy[str(random_encoder)] < accuracy[embedded_encoder] - 25
