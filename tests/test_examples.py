"""Every example runs, in a process of its own, on a tiny encoder that knows the words of examples/data."""

import csv
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy
from accelerate.utils.launch import prepare_multi_gpu_env
from safetensors.torch import load_file

from modeling_dlfa import DLFAConfig, DLFAForSequenceClassification
from modeling_dlfa.data.own import OwnFilesSource
from modeling_dlfa.predict import Predictor
from modeling_dlfa.predict import main as predict_main
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import Task
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.results import RunResults
from tests import forks
from tests.marks import rest_is_slow


ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
TASK_FILES = sorted(
    (path.stem for path in (EXAMPLES / "tasks").glob("*.yaml")), key=lambda name: (name != "hotel", name)
)
CONFIGS = sorted(path.stem for path in (EXAMPLES / "accelerate").glob("*.yaml"))

# Runs a script where the package cannot be imported.
ALONE = "import runpy, sys; sys.modules['modeling_dlfa'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], "
ALONE += "run_name='__main__')"


def run(name: str, *arguments: object, alone: bool = False) -> str:
    """What an example prints. Alone: without the package, as someone who only has the checkpoint."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if not alone:
        environment["PYTHONPATH"] = str(ROOT)
    command = ["-P", *(("-c", ALONE) if alone else ()), EXAMPLES / f"{name}.py", *arguments]
    done = forks.run(command, environment={**environment, "OMP_NUM_THREADS": "1"}, cwd=EXAMPLES)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def texts() -> list[str]:
    """Everything that is written in examples/data."""
    found = []
    for path in EXAMPLES.glob("data/*/*.csv"):
        with open(path, encoding="utf-8", newline="") as file:
            found += [text for row in csv.DictReader(file) for text in row.values()]
    for path in EXAMPLES.glob("data/*/*.jsonl"):
        rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        found += [row[name] for row in rows for name in ("context", "question")]
    return found + [path.read_text(encoding="utf-8") for path in EXAMPLES.glob("data/*/*.conll*")]


def answered(folder: Path, task: Task) -> list:
    """What a run says of its own training file."""
    opened = Predictor(folder)
    assert task.files is not None
    answers = opened.answers(*opened.read(task.files.paths["train"]["en"]))
    column = task.kind.label_column
    column = column if column in answers[0] else str(task.own_columns[column])  # a table has its own names
    return [answer[column] for answer in answers]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random two-layer BERT whose vocabulary has every word of the data whole.

    The pipeline lets the surest piece of a word speak, and of several only one is trained.
    """
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("encoder") / "tiny-encoder"
    tokenizer = BertWordPieceTokenizer(lowercase=False)
    tokenizer.train_from_iterator(texts(), vocab_size=5000, min_frequency=1, show_progress=False)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    BertTokenizer(vocab=tokenizer.get_vocab(), do_lower_case=False).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def trained(encoder: str, tmp_path_factory: pytest.TempPathFactory):
    """Function (example or task file) -> the checkpoint, and what is printed.

    Enough steps to know the training examples by heart, whatever the processor's rounding.
    """
    done: dict[str, tuple[Path, str]] = {}

    def folder(name: str) -> tuple[Path, str]:
        if name not in done:
            output = tmp_path_factory.mktemp("trained") / name
            flags = ("--num_train_epochs", 100, "--learning_rate", "1e-3", "--output_dir", output)
            if name in TASK_FILES:
                flags = (*flags, "--pooling", "mean", "--use_cpu", "--disable_tqdm", "true")
                argv = ("--task", EXAMPLES / "tasks" / f"{name}.yaml", "--model_name_or_path", encoder, *flags)
                done[name] = output, run("../run_xtreme", *argv)
            else:
                done[name] = output, run(name, "--encoder", encoder, *flags)
        return done[name]

    return folder


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    if name == "lora":
        pytest.importorskip("peft")
    if name == "export_onnx":
        pytest.importorskip("onnxruntime")
    script = module(name)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as end:
        script.parse_arguments()
    assert end.value.code == 0
    assert script.__doc__ is not None and script.__doc__.strip() in capsys.readouterr().out
    assert f"python examples/{name}.py" in script.__doc__


@pytest.mark.parametrize("name", rest_is_slow([name for name in TASK_FILES if name != "questions"]))
def test_a_task_file(trained, name: str):
    """A table, a card, a checkpoint: what every run leaves."""
    folder, printed = trained(name)
    task = get_task(str(EXAMPLES / "tasks" / f"{name}.yaml"))
    results = RunResults.load(folder)
    assert results.task == name and results.data == "files" and results.of_task.labels == task.labels
    assert list(results.scores)[0] == "en" and len(results.scores) >= 3
    learnt = task.kind.references(OwnFilesSource().load(task, "train", "en"))
    assert task.kind.score(task, answered(folder, task), learnt)[task.metric] > 95
    assert all(f"{code} " in printed for code in results.scores) and "zero-shot average" in printed
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert task.note in card and f"under `{task.license}`" in card and str(EXAMPLES) not in card
    assert ("labels found in" in printed) == (name == "reviews") == ("bad (16), good (16)" in printed)
    assert {path.name for path in folder.iterdir()} >= {"config.json", "model.safetensors", "modeling_dlfa.py"}


def test_the_own_labels_of_readme(trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The run and the answer that README prints have the form of those that its commands make here."""
    folder, _ = trained("hotel")
    printed = ROOT / "results" / "own_labels"
    assert list(RunResults.load(folder).scores) == list(RunResults.load(printed / "aif.json").scores)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ((text, flags),) = re.findall(r"^printf '(.*)\\n' \| dlfa predict runs/hotel/aif (.*)$", readme, re.MULTILINE)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.replace("\\t", "\t").encode())))
    assert predict_main([str(folder), *shlex.split(flags)]) == 0
    (answer,) = capsys.readouterr().out.splitlines()
    (shown,) = (printed / "prediction.jsonl").read_text(encoding="utf-8").splitlines()
    assert shown in readme
    answered, told = json.loads(answer), json.loads(shown)
    assert list(answered) == list(told)
    assert all(answered[name] == told[name] for name in ("sentence1", "sentence2"))


@pytest.mark.slow
def test_a_task_file_of_questions(trained):
    """Which a tiny encoder does not learn by heart: what every run leaves, in XTREME's form."""
    folder, printed = trained("questions")
    results = RunResults.load(folder)
    assert list(results.all_metrics["de"]) == ["em_f1", "exact_match", "f1"] and "zero-shot average" in printed
    for code in results.scores:
        rows = [json.loads(line) for line in (EXAMPLES / "data" / "questions" / f"test-{code}.jsonl").open("rb")]
        answers = json.loads((folder / "predictions" / "questions" / f"test-{code}.json").read_text("utf-8"))
        assert all(answers[row["id"]] in row["context"] for row in rows)


@pytest.mark.parametrize("name", rest_is_slow(TASK_FILES))
def test_a_study_of_a_task_file(encoder: str, tmp_path: Path, name: str):
    pytest.importorskip("optuna")
    from modeling_dlfa.study.__main__ import main

    study = {
        "tasks": [str(EXAMPLES / "tasks" / f"{name}.yaml")],
        "models": {"dlfa": {"fusion_layer": 1}},
        "encoders": [encoder],
        "seeds": [1],
        "arguments": {"pooling": "mean", "use_cpu": True, "eval_strategy": "no", "max_steps": 2},
        "output_dir": str(tmp_path / "study"),
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    assert main(["run", str(tmp_path / "study.yaml")]) == 0
    assert f"{name}, tiny-encoder" in (tmp_path / "study" / "report" / "report.md").read_text(encoding="utf-8")


def test_use_a_classifier(trained):
    folder, _ = trained("hotel")
    with open(EXAMPLES / "data" / "hotel" / "train.csv", encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    answers = re.findall(r"^(\w+): (.*)%$", run("use_checkpoint", folder, *list(row.values())[:2], alone=True), re.M)
    assert {label for label, _ in answers} == {"yes", "no"}
    assert answers[0][0] == row["label"] and sum(float(share) for _, share in answers) == pytest.approx(100, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--words",)], ids=["text", "words"])
def test_use_a_tagger(trained, flags):
    """Whole entities by their names, from text and from words, of a sentence that it knows by heart."""
    folder, _ = trained("entities")
    words = "We ate fried rice at Golden Dragon yesterday ."
    printed = run("use_checkpoint", folder, *(words.split() if flags else (words,)), *flags, alone=True)
    entities = [re.sub(r" \(.*", "", line) for line in printed.splitlines()]
    assert entities == ["DISH: fried rice", "PLACE: Golden Dragon"]


def test_a_repository_is_pinned(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["use_checkpoint.py", "user/repository", "A sentence."])
    with pytest.raises(SystemExit):
        module("use_checkpoint").parse_arguments()
    assert "user/repository is no folder; of a Hub id, --revision must name the commit" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["use_checkpoint.py", "user/repository", "A sentence.", "--revision", "0123abc"])
    assert module("use_checkpoint").parse_arguments().revision == "0123abc"


@pytest.mark.slow
def test_lora(trained):
    pytest.importorskip("peft")
    folder, printed = trained("lora")
    assert re.search(r"^adapter: (yes|no)$", printed, re.MULTILINE)
    adapter, merged = (
        load_file(folder / name) for name in ("adapter/adapter_model.safetensors", "merged/model.safetensors")
    )
    assert 0 < sum(map(torch.numel, adapter.values())) < 0.3 * sum(map(torch.numel, merged.values()))
    name = "dlfa.fusion.local_branch.expand.weight"
    assert merged[name].any() and torch.equal(adapter[f"base_model.model.{name}"], merged[name])
    assert run("use_checkpoint", folder / "merged", "Was the food good?", "It was good.", alone=True)


@pytest.mark.slow
def test_export_onnx(trained, tmp_path: Path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    printed = run("export_onnx", trained("hotel")[0], "--output_dir", tmp_path / "onnx", alone=True)
    differences = [float(number) for number in re.findall(r"logits differ by (\S+)$", printed, re.MULTILINE)]
    assert len(differences) == 2 and max(differences) < 1e-4
    assert {"model.onnx", "model.onnx.data", "tokenizer.json"} <= {path.name for path in (tmp_path / "onnx").iterdir()}


def test_quantize(trained):
    lines = run("quantize", trained("hotel")[0], alone=True).splitlines()
    labels = [re.findall(r"(float|8 bits): .* (yes|no) \(", line)[0] for line in lines]
    assert [name for name, _ in labels] == ["float"] * 2 + ["8 bits"] * 2
    assert [label for _, label in labels[:2]] == [label for _, label in labels[2:]]


@pytest.mark.parametrize("name", ["tiny", pytest.param("embedded", marks=pytest.mark.slow)])
def test_fine_tune(name: str, encoder: str, tmp_path: Path, request: pytest.FixtureRequest):
    chosen = encoder if name == "tiny" else request.getfixturevalue("embedded_encoder")
    printed = run("fine_tune", "--encoder", chosen, "--output_dir", tmp_path / "checkpoint")
    assert re.search(r"'label': '(entailment|neutral|contradiction)'", printed)
    assert (tmp_path / "checkpoint" / "modeling_dlfa.py").exists()


# ---------------------------------------------------------------------------------------------------------------------
# accelerate
# ---------------------------------------------------------------------------------------------------------------------


def documented(name: str) -> tuple[list[str], list[str]]:
    """The launcher's and the script's arguments of the command in a configuration's first comment."""
    text = (EXAMPLES / "accelerate" / f"{name}.yaml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^#\s+accelerate launch (.*run_xtreme\.py.*)$", text, re.MULTILINE)
    words = shlex.split(line)
    place = words.index("run_xtreme.py")
    return words[:place], words[place + 1 :]


@pytest.mark.parametrize(
    ("name", "kind"), [("cpu", "NO"), ("fsdp", "FSDP"), ("multi_gpu", "MULTI_GPU")], ids=lambda value: value
)
def test_accelerate_reads_its_configuration(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert CONFIGS == ["cpu", "fsdp", "multi_gpu"]
    assert load_config_from_file(str(EXAMPLES / "accelerate" / f"{name}.yaml")).distributed_type == kind
    launcher, script = documented(name)
    assert f"examples/accelerate/{name}.yaml" in launcher
    monkeypatch.chdir(ROOT)
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args([*launcher, "run_xtreme.py", *script]))
    chosen = {"fsdp": arguments.use_fsdp, "multi_gpu": arguments.multi_gpu, "cpu": arguments.use_cpu}
    assert [key for key, value in chosen.items() if value] == [name]
    assert arguments.num_processes == (1 if name == "cpu" else 8)
    line = CommandLine([argument for argument in script if argument != "--bf16"])
    assert arguments.num_processes * (line.arguments(line.tasks[0], "aif", tmp_path)[1]).train_batch_size == 32


def test_fsdp_divides_layers(family, tiny_config, monkeypatch: pytest.MonkeyPatch):
    """Every layer becomes a unit of its own where the encoder names its layers, else the model is one unit."""
    monkeypatch.chdir(ROOT)
    arguments, *_ = _validate_launch_command(
        launch_command_parser().parse_args([*documented("fsdp")[0], "run_xtreme.py"])
    )
    for name, value in prepare_multi_gpu_env(arguments).items():
        monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, str(plugin.state_dict_type)) == (2, "StateDictType.FULL_STATE_DICT")
    model = DLFAForSequenceClassification(DLFAConfig(encoder_config=tiny_config(family), fusion_layer=1))
    policy = fsdp2_prepare_auto_wrap_policy(plugin, model)
    assert policy is not None
    units = {name for name, part in model.named_modules() if policy(part)}
    layers = {name for name in units if re.fullmatch(r"dlfa\.encoder\..*\.?layers?\.\d", name)}
    assert len(layers) == (3 if type(model.dlfa.encoder)._no_split_modules else 0)


@pytest.mark.slow
def test_accelerate_launches_on_a_cpu(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    flags = "--task pawsx --languages de --max_steps 2 --eval_strategy no --max_length 16 --disable_tqdm true"
    command = ["-m", "accelerate.commands.launch", "--config_file", EXAMPLES / "accelerate" / "cpu.yaml"]
    command += [ROOT / "run_xtreme.py", "--model_name_or_path", tiny_encoder, "--data", xtreme_folder]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--output_dir", str(tmp_path / "out"), *flags.split()],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "all_results.json").exists()
