"""Runs that train nothing: one command to the same folder as any other, and what it refuses."""

import csv
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.modeling_dlfa import DLFAModel
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training import run as run_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.checks import check_training
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.counts import counts_file, read_counts
from modeling_dlfa.training.data import prepare, tuning_data
from modeling_dlfa.training.made import origin, recorded_untrained
from modeling_dlfa.training.model import build_model, check_model
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.score import main as score_main
from modeling_dlfa.training.score import score_command
from modeling_dlfa.training.trainer_arguments import trainer_fields
from modeling_dlfa.training.untrained import HONOURED, check_given_untrained, check_untrained
from modeling_dlfa.vectors import sentence_vectors
from tests import forks
from tests.parallel import write_bucc, write_tatoeba
from tests.scripts import ROOT
from tests.training.test_card import results


LANGUAGES = ("de", "zh")
CHECKPOINT = {"config.json", "configuration_dlfa.py", "model.safetensors", "modeling_dlfa.py"}
CHECKPOINT |= {"tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parallel")
    write_tatoeba(root, LANGUAGES)
    write_bucc(root, LANGUAGES)
    return root


@pytest.fixture(scope="module")
def command(data: Path, tiny_encoder: str) -> Callable[..., list[str]]:
    def build(task: str, output: Path, flags: str = "") -> list[str]:
        start = [
            "--task",
            task,
            "--data",
            str(data),
            "--model_name_or_path",
            tiny_encoder,
            "--output_dir",
            str(output),
        ]
        return [*start, "--max_length", "16", "--use_cpu", "--disable_tqdm", "true", *flags.split()]

    return build


@pytest.fixture(scope="module")
def finished(command, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def folder(task: str) -> Path:
        if task not in folders:
            folders[task] = tmp_path_factory.mktemp("untrained") / task
            assert main(command(task, folders[task])) == 0
        return folders[task]

    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("task", ["tatoeba", "bucc2018"])
def test_a_run_leaves_exactly_this(finished, data: Path, task: str):
    folder, of_task = finished(task), get_task(task)
    predictions = {f"predictions/{task}/test-{code}.tsv" for code in LANGUAGES} | {
        f"predictions/{task}/test-counts.npz"
    }
    left = {"README.md", "all_results.json", "settings.json", "layers.csv"}
    assert files(folder) == CHECKPOINT | left | predictions
    results = RunResults.load(folder)
    assert (results.fusion, results.fusion_layer, results.model_config["pooling"]) == ("layer", 2, "mean")
    assert (results.train_samples, results.development_score, results.transfer_gap) == (0, None, None)
    assert results.training["max_length"] == 16 and "learning_rate" not in results.training
    counts = read_counts(counts_file(folder / "predictions", of_task, "test"))
    for code in LANGUAGES:
        rows = FolderSource(data).load(of_task, "test", code)
        assert results.support[code] == len(rows) == len(counts[code])
        right, found, there = counts[code].sum(axis=0)
        assert results.scores[code] == pytest.approx(200 * right / (found + there))
    with open(folder / "layers.csv", newline="", encoding="utf-8") as file:
        table = {row["layer"]: row for row in csv.DictReader(file)}
    assert list(table) == ["0", "1", "2", "3"] and table["2"]["mark"] == "scored"
    assert float(table["2"]["de"]) == pytest.approx(results.scores["de"], abs=0.01)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| 2 (scored) |" in card and "Nothing was trained" in card and "fine-tuned" not in card
    assert ("Thresholds on margins are those" in card) == (task == "bucc2018")


def test_answers_are_those_of_the_vectors(finished, data: Path):
    """The checkpoint opens with its own code, and gives the vectors that were compared."""
    folder, task = finished("tatoeba"), get_task("tatoeba")
    model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = FolderSource(data).load(task, "test", "de")
    english, foreign = (sentence_vectors(model, tokenizer, rows[name][:]) for name in ("sentence2", "sentence1"))
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (english, foreign)]
    nearest = (unit[0] @ unit[1].T).argmax(axis=1)
    expected = [rows["place"][place] for place in nearest.tolist()]
    assert read_predictions(prediction_file(folder / "predictions", task, "de"), task) == expected
    assert RunResults.load(folder).scores["de"] > 25  # by chance 5


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tatoeba", "bucc2018"])
def test_two_processes_find_what_one_finds(command, finished, tmp_path: Path, task: str):
    """Each makes its share of the vectors, in batches of two or three sentences."""
    small = "--per_device_eval_batch_size 1"
    done = forks.run_two(
        [ROOT / "run_xtreme.py", *command(task, tmp_path / "two", small)],
        environment={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("nothing trained") == 1, "the table is printed once"
    assert main(command(task, tmp_path / "one", small)) == 0
    one, two = tmp_path / "one", tmp_path / "two"
    assert files(one) == files(two)
    for path in (one / "layers.csv", *(one / "predictions").rglob("*.tsv")):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes(), path
    first, second = RunResults.load(one), RunResults.load(two)
    assert first.all_metrics == second.all_metrics and (first.found or {})["layers"] == (second.found or {})["layers"]


def test_baseline_beside_the_layer(command, tmp_path: Path, capsys):
    assert main(command("tatoeba", tmp_path / "out", "--compare_baseline --languages de")) == 0
    last, layer = (RunResults.load(tmp_path / "out" / name) for name in ("baseline", "layer"))
    assert (last.fusion, layer.fusion) == ("none", "layer") and last.found and layer.found
    assert last.found["layers"] == layer.found["layers"]  # one encoder, all layers
    assert last.scores["de"] == layer.found["layers"]["3"]["de"]
    out = capsys.readouterr().out
    assert "nothing trained" in out and "difference" in out and "zero-shot" not in out


@pytest.mark.parametrize("fusion", ["aif", "none"])
def test_a_finished_run_keeps_its_fusion(command, finished_run, tmp_path: Path, fusion: str):
    run = finished_run("udpos")  # DLFA
    flags = f"--model_name_or_path {run} --languages de" + (" --fusion none" if fusion == "none" else "")
    assert main(command("tatoeba", tmp_path / "out", flags)) == 0
    results = RunResults.load(tmp_path / "out")
    assert (results.fusion, [stage["task"] for stage in results.intermediate]) == (fusion, ["udpos"])
    before, after = (
        AutoModel.from_pretrained(folder, trust_remote_code=True).eval() for folder in (run, tmp_path / "out")
    )
    tokenizer = AutoTokenizer.from_pretrained(run)
    vectors = [
        sentence_vectors(model, tokenizer, ["v0 d1"], layer=layer, pooling="mean")
        for model, layer in ((before, "fused" if fusion == "aif" else 3), (after, "fused"))
    ]
    assert np.allclose(*vectors, atol=1e-5)
    assert results.found is not None
    assert results.found["scored"] == ("fused" if fusion == "aif" else "3")
    assert ("fused" in results.found["layers"]) == (fusion == "aif")


@pytest.mark.parametrize("stages", [[], [{"task": "uddep", "development_score": 50.0}]])
def test_a_run_that_trained_nothing_is_no_stage(tiny_encoder: str, tmp_path: Path, stages: list):
    before = results("tatoeba", encoder=tiny_encoder, development_score=None, intermediate=stages)
    before.save(tmp_path)
    assert origin(RunArguments(task="udpos", model_name_or_path=str(tmp_path))) == (tiny_encoder, stages)


@pytest.mark.parametrize(
    ("of_run", "flags", "expected"),
    [
        ({"fusion": "none", "input_norm": "layer"}, "", ("none", None, "layer", True)),
        ({"fusion": "none"}, "", ("none", None, "none", False)),
        ({"fusion": "layer", "fusion_layer": 2}, "", ("layer", 2, "none", True)),
        ({"fusion": "layer", "fusion_layer": 2}, "--fusion_layer 1", ("layer", 1, "none", False)),
        ({"fusion": "aif", "fusion_layer": 2}, "--fusion_layer 2", ("aif", 2, "none", True)),
        ({"fusion": "aif", "fusion_layer": 2}, "--fusion_layer 1", "^--fusion_layer 1: .* has fusion_layer 2"),
        ({"fusion": "aif", "fusion_layer": 2}, "--fusion_layer auto", "^--fusion_layer auto: .* has fusion_layer 2"),
        ({"fusion": "aif", "fusion_layer": 2}, "--input_norm layer", "^--input_norm layer: .* has input_norm none"),
    ],
)
def test_what_of_a_finished_run_is_kept(tiny_encoder: str, tmp_path: Path, of_run: dict, flags: str, expected):
    model = DLFAModel.from_encoder(tiny_encoder, **of_run)
    for norm in (module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)):
        torch.nn.init.normal_(norm.weight)
    model.save_pretrained(tmp_path)
    start = ["--task", "tatoeba", "--model_name_or_path", str(tmp_path), "--max_length", "16"]
    command = CommandLine([*start, *flags.split()])
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            command.run_arguments("tatoeba", *command.fusions_of("tatoeba"))
        return
    arguments = command.run_arguments("tatoeba", *command.fusions_of("tatoeba"))
    found = (arguments.fusion, arguments.fusion_layer, arguments.input_norm, arguments.carry_fusion)
    assert found == expected
    check_untrained(get_task("tatoeba"), arguments, check_model(arguments))
    built = build_model(arguments, get_task("tatoeba")).state_dict()
    assert built.keys() == model.state_dict().keys()
    assert all(torch.equal(built[name], value) for name, value in model.state_dict().items())


def test_an_intermediate_task_before(command, xtreme_folder: Path, data: Path, tmp_path: Path):
    both = tmp_path / "both"
    both.mkdir()
    (both / "udpos").symlink_to(xtreme_folder / "udpos")
    (both / "tatoeba").symlink_to(data / "tatoeba")
    flags = f"--data {both} --intermediate_tasks udpos --max_steps 2 --languages de"
    assert main(command("tatoeba", tmp_path / "out", flags)) == 0
    results = RunResults.load(tmp_path / "out")
    assert [stage["steps"] for stage in results.intermediate] == [2] and results.fusion == "layer"


def test_a_finished_run_is_scored_elsewhere(finished, tmp_path: Path):
    argv = [str(finished("tatoeba")), "--languages", "zh", "--output_dir", str(tmp_path / "out"), "--use_cpu"]
    assert score_main(argv) == 0
    again, before = RunResults.load(tmp_path / "out"), RunResults.load(finished("tatoeba"))
    assert again.scores == {"zh": before.scores["zh"]} and (tmp_path / "out" / "layers.csv").is_file()


def test_going_on_after_scoring_failed(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    argv = command("tatoeba", tmp_path / "out", "--languages de")
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "search", lambda *_: 1 / 0)
        assert main(argv) == 1
    assert (tmp_path / "out" / "trained.json").is_file()
    assert main([*argv, "--resume_from_checkpoint", "last"]) == 0
    assert RunResults.load(tmp_path / "out").scores.keys() == {"de"}


def test_a_prefix_stands_before_every_sentence(command, tmp_path: Path):
    assert main([*command("tatoeba", tmp_path / "out", "--languages de"), "--prefix", "yes "]) == 0
    assert json.loads((tmp_path / "out" / "all_results.json").read_text())["training"]["prefix"] == "yes "
    scoring = score_command(str(tmp_path / "out"))
    assert scoring.run_arguments(scoring.tasks[0], "layer").prefix == "yes "


@pytest.mark.parametrize("name", sorted(trainer_fields(decides=True) - HONOURED))
def test_what_decides_a_training_is_refused(name: str):
    with pytest.raises(InputError, match=f"^--{name}: tatoeba trains nothing, "):
        check_given_untrained(get_task("tatoeba"), [name])
    check_given_untrained(get_task("udpos"), [name])


@pytest.mark.parametrize("name", sorted(trainer_fields(decides=True) - HONOURED))
def test_stages_take_what_is_not_of_vectors(name: str):
    """What sounds as if vectors were made in half precision is refused; a stage alone can be given it."""
    if not name.endswith("_full_eval"):
        check_given_untrained(get_task("tatoeba"), [name], staged=True)
        return
    with pytest.raises(InputError) as error:
        check_given_untrained(get_task("tatoeba"), [name], staged=True)
    assert str(error.value) == (
        f"--{name}: tatoeba trains nothing, its vectors are made in half precision by --{name[:4]}; for stages alone "
        "there is --intermediate_arguments"
    )


@pytest.mark.parametrize(("task", "staged", "refused"), [("tatoeba", False, True), ("tatoeba", True, False)])
def test_development_data_that_are_not_there(task: str, staged: bool, refused: bool):
    with pytest.raises(InputError, match="^--max_dev_samples: tatoeba trains") if refused else nullcontext():
        check_given_untrained(get_task(task), ["max_dev_samples"], staged)
    check_given_untrained(get_task("bucc2018"), ["max_dev_samples"], staged)


@pytest.mark.parametrize(
    "flags", ["--metric_for_best_model f1", "--label_smoothing_factor 0.1", "--learning_rate 1e-3 --max_steps 3"]
)
def test_what_is_meant_for_stages_is_taken(command, tmp_path: Path, flags: str):
    line = CommandLine(command("tatoeba", tmp_path / "out", f"--intermediate_tasks udpos {flags}"))
    for task in ("tatoeba", "udpos"):
        _, training_arguments = line.arguments(task, "layer", tmp_path / "out")
        check_training(get_task(task), training_arguments)


def test_what_decides_vectors_is_not_refused():
    check_given_untrained(get_task("tatoeba"), [*HONOURED, "per_device_eval_batch_size", "max_length", "fusion_layer"])


@pytest.mark.parametrize(
    ("flags", "rows", "recorded"),
    [
        ("", 40, None),
        ("--max_eval_samples 4", 8, 4),
        ("--max_dev_samples 3", 6, 3),
        ("--max_eval_samples 4 --max_dev_samples 3", 6, 3),
    ],
)
def test_tuning_data_are_as_many_as_asked(command, tmp_path: Path, flags: str, rows: int, recorded: int | None):
    line = CommandLine(command("bucc2018", tmp_path / "out", f"{flags} --languages de"))
    arguments, training_arguments = line.arguments("bucc2018", "layer", tmp_path / "out")
    data = prepare(arguments)
    assert len(data.tuning["de"].rows) == rows and tuning_data("de") in data.fingerprints
    said = recorded_untrained(arguments, training_arguments, build_model(arguments, data.task))
    assert said.get("max_dev_samples") == recorded


def test_tuning_data_may_differ_when_scoring_goes_on(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_bucc(tmp_path, LANGUAGES)
    argv = [*command("bucc2018", tmp_path / "out", "--languages de"), "--data", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "search", lambda *_: 1 / 0)
        assert main(argv) == 1
    assert main([*argv, "--languages", "zh", "--resume_from_checkpoint", "last"]) == 0
    assert RunResults.load(tmp_path / "out").scores.keys() == {"zh"}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--learning_rate 1e-3", "--learning_rate: tatoeba trains nothing"),
        ("--train lora", "--train: tatoeba trains nothing"),
        ("--max_train_samples 3", "--max_train_samples: tatoeba trains nothing"),
        ("--fusion aif", "--fusion aif: tatoeba trains nothing, and what is new in it would have learnt nothing"),
        ("--input_norm layer", "--input_norm layer: tatoeba trains nothing"),
        ("--fusion_layer auto", "tatoeba: layers are scouted for labels"),
        ("--fusion_layer 3", "fusion_layer=3: this bert encoder has 3 layers"),
        ("--task udpos --intermediate_tasks tatoeba", "--intermediate_tasks tatoeba: it trains nothing"),
        ("--max_dev_samples 3", "--max_dev_samples: tatoeba trains nothing"),
        ("--intermediate_tasks udpos --bf16_full_eval", "--bf16_full_eval: tatoeba trains nothing, its vectors"),
        ("--intermediate_tasks udpos --no_answer_threshold 1", "--no_answer_threshold 1: tatoeba has no questions"),
        ("--languages en", "no test data for en"),
        ("--eval_split validation", "no validation data for tatoeba"),
    ],
)
def test_what_is_refused(command, tmp_path: Path, capsys, flags: str, says: str):
    assert main(command("tatoeba", tmp_path / "out", flags)) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
