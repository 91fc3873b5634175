"""The command as a whole: several runs, what is printed, and how it fails."""

import csv
import json
import re
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from modeling_dlfa.cli import takes_debug
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import XTREME_TASKS
from modeling_dlfa.training import command_line
from modeling_dlfa.training import launch as launch_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.results import RunResults


FEW = "--num_train_epochs 1 --max_train_samples 16 --eval_strategy no"


@pytest.fixture(scope="module")
def finished(finished_run) -> Path:
    return finished_run("pawsx")


@pytest.fixture
def training_is_forbidden(monkeypatch: pytest.MonkeyPatch):
    def fail(*args, **kwargs):
        raise AssertionError("trained before everything was checked")

    monkeypatch.setattr(launch_module, "run_chain", fail)


def error_of(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a command that fails for something the user gave."""
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


def test_one_run(argv, tmp_path: Path, capsys):
    assert main(argv("udpos", tmp_path / "out", "--languages en,de,zh --num_train_epochs 2")) == 0
    shown = capsys.readouterr()
    lines = [line for line in shown.out.splitlines() if not line.startswith("{")]  # what --disable_tqdm prints
    assert max(map(len, lines)) <= 100
    assert f"into {tmp_path / 'out'}" in lines
    table = [re.split(r" *[│┃] *", line) for line in lines if line[:1] in "│┃" and line]
    results = RunResults.load(tmp_path / "out")
    assert table[0][1:-1] == ["family", "language", "n", "f1", "accuracy", "precision", "recall"]
    assert table[1][1:5] == ["IE: Germanic", "en English *", "20", f"{results.scores['en']:.1f}"]
    assert table[-2][2:5] == ["zero-shot average", "", f"{results.zero_shot_average:.1f}"]
    assert shown.err == ""  # no bars or warnings of the libraries


def test_baseline_beside_dlfa(argv, tmp_path: Path, capsys):
    assert main(argv("pawsx", tmp_path / "out", "--compare_baseline")) == 0
    baseline, dlfa = (RunResults.load(tmp_path / "out" / name) for name in ("baseline", "aif"))
    assert (baseline.fusion, dlfa.fusion, baseline.seed) == ("none", "aif", dlfa.seed)
    out = capsys.readouterr().out
    assert re.search(r"baseline +┃ +DLFA k=2 +┃ +difference", out)
    (row,) = [line for line in out.splitlines() if "de German" in line]
    first, second = baseline.scores["de"], dlfa.scores["de"]
    shown = [cell.strip(" ?") for cell in row.split("│")[4:7]]
    assert shown == [f"{first:.1f}", f"{second:.1f}", f"{second - first:+.1f}"]


def test_all_tasks(argv, tmp_path: Path, capsys):
    assert main(argv("all", tmp_path / "out", f"{FEW} --languages de")) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted((*XTREME_TASKS, "xtreme.csv"))
    for task in XTREME_TASKS:
        results = RunResults.load(tmp_path / "out" / task)
        assert (results.task, list(results.scores)) == (task, ["de"])
    out = capsys.readouterr().out
    assert len(re.findall("zero-shot average", out)) == 7  # not of tasks that train nothing
    assert "XTREME · tiny-encoder" in out and "(published)" in out
    (row,) = csv.DictReader((tmp_path / "out" / "xtreme.csv").open(encoding="utf-8"))
    averages = [RunResults.load(tmp_path / "out" / task).average for task in XTREME_TASKS]
    assert float(row["all"]) == pytest.approx(fmean(averages), abs=0.006)


def test_resuming_several_runs(argv, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    """Finished runs are kept, those that had not begun are begun."""
    argv = argv("pawsx", tmp_path / "out", f"{FEW} --compare_baseline")
    real_run = launch_module.run_chain

    def run_baseline_only(stages, folder, arguments, *rest):
        if arguments.fusion != "none":
            raise KeyboardInterrupt
        return real_run(stages, folder, arguments, *rest)

    monkeypatch.setattr(launch_module, "run_chain", run_baseline_only)
    assert main(argv) == 130
    kept = (tmp_path / "out" / "baseline" / "all_results.json").stat().st_mtime_ns
    monkeypatch.setattr(launch_module, "run_chain", real_run)
    capsys.readouterr()
    assert "baseline holds a finished run" in error_of(argv, capsys)
    assert main([*argv, "--resume_from_checkpoint", "last"]) == 0
    assert (tmp_path / "out" / "baseline" / "all_results.json").stat().st_mtime_ns == kept
    assert "difference" in capsys.readouterr().out
    assert main([*argv, "--resume_from_checkpoint", "last"]) == 0  # nothing left to do but the table
    assert "difference" in capsys.readouterr().out


def test_chance_level_is_a_warning(argv, tmp_path: Path, capsys):
    assert main(argv("xnli", tmp_path / "out", f"{FEW} --learning_rate 0")) == 0
    out = capsys.readouterr().out
    chance = RunResults.load(tmp_path / "out").chance_level
    assert chance
    assert f"warning: DLFA k=2: no better than always answering the most frequent label in {', '.join(chance)}" in out
    assert re.search(r"\d\.\d\?", out)


@pytest.mark.parametrize(
    ("task", "flags", "message"),
    [
        ("udpos", "--fusion_layer 3", "fusion_layer=3: this bert encoder has 3 layers, expected 0 (embeddings) to 2"),
        ("udpos", "--fusion_layer -1", "fusion_layer=-1"),
        ("udpos", "--fusion_layer 3 --compare_baseline", "fusion_layer=3"),
        ("udpos", "--languages sw,th", "no test data for sw, th"),
        ("all", "--languages de,xx", "no test data for xx"),
        ("udpos", "--model_name_or_path no/such-encoder", "cannot open the encoder no/such-encoder"),
        ("udpos", "--model_name_or_path ./nowhere", "cannot open the encoder ./nowhere: no such folder"),
        ("udpos", "--data nowhere", "no data folder 'nowhere'"),
        ("udpos", '--config_overrides {"aif_reduction":5}', "aif_reduction=5: expected a divisor of the hidden size"),
        ("udpos", '--config_overrides {"aif_reduction":"x"}', "cannot build the model"),
        ("udpos", '--config_overrides {"aif_output":"twice"}', "aif_output='twice': expected one of gate, scale"),
        ("udpos", "--resume_from_checkpoint last", "has no checkpoint to go on from"),
        ("udpos", "--max_length 2", "--max_length 2"),
        ("udpos", "--task quad", "unknown task 'quad'"),
        ("udpos", "--no_such_flag 1", "--no_such_flag"),
    ],
)
def test_mistakes_are_found_before_training(
    argv, tmp_path: Path, capsys, training_is_forbidden, task: str, flags: str, message: str
):
    assert main(argv(task, tmp_path / "out", flags)) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.startswith("error: ") and shown.err.count("\n") == 1
    assert "into" not in shown.out  # no folder is announced that there will not be
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("udpos/train-en.tsv", "n1\tNOUN\nn2\n", "udpos/train-en.tsv:2: expected token<tab>tag"),
        ("udpos/train-en.tsv", "n1\tNOMEN\n", "udpos/train-en.tsv:1: expected token<tab>tag, found the tag 'NOMEN'"),
        ("udpos/dev-en.tsv", "n1 NOUN\n", "udpos/dev-en.tsv:1"),
        ("udpos/test-ru.tsv", "n1\tNOUN\n\n\tVERB\n", "udpos/test-ru.tsv:3"),
        ("udpos/train-en.tsv", "", "udpos/train-en.tsv: no data"),
        ("udpos/train-en.tsv", None, "udpos has no train data for 'en'"),
        ("udpos/dev-en.tsv", None, "udpos has no validation data for 'en'"),
        (
            "xnli/test-de.tsv",
            "a\tb\n",
            "xnli/test-de.tsv:1: expected sentence1<tab>sentence2<tab>label, found no label",
        ),
        ("xnli/test-de.tsv", "a\tb\t1\n", "xnli/test-de.tsv:1"),
    ],
)
def test_data_that_cannot_be_used(
    argv, xtreme_folder: Path, tmp_path: Path, capsys, training_is_forbidden, name: str, text: str | None, message: str
):
    folder = tmp_path / "xtreme"
    shutil.copytree(xtreme_folder, folder)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    for task in (name.partition("/")[0], "all"):
        assert message in error_of(argv(task, tmp_path / "out", f"--data {folder}"), capsys)
        assert not (tmp_path / "out").exists()


def test_a_task_that_is_missing(argv, xtreme_folder: Path, tmp_path: Path, capsys, training_is_forbidden):
    folder = tmp_path / "xtreme"
    shutil.copytree(xtreme_folder, folder)
    shutil.rmtree(folder / "udpos")
    error = error_of(argv("all", tmp_path / "out", f"--data {folder}"), capsys)
    assert f"{folder} has no folder 'udpos'" in error
    assert "mlqa, panx, pawsx, tatoeba, tydiqa, uddep, xnli, xquad" in error


def test_output_folders_in_use(argv, finished: Path, tmp_path: Path, capsys, training_is_forbidden):
    assert "holds a finished run" in error_of(argv("pawsx", finished), capsys)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("", encoding="utf-8")
    assert "is not empty: give another --output_dir" in error_of(argv("pawsx", tmp_path / "out"), capsys)
    (tmp_path / "all" / "xnli").mkdir(parents=True)
    (tmp_path / "all" / "xnli" / "all_results.json").write_text("{}", encoding="utf-8")
    assert "xnli holds a finished run" in error_of(argv("all", tmp_path / "all"), capsys)


def test_debug_shows_the_traceback(argv, tmp_path: Path):
    for place in (0, -1):
        command = argv("udpos", tmp_path / "out", "--fusion_layer 9")
        command.insert(place if place == 0 else len(command), "--debug")
        with pytest.raises(InputError, match="fusion_layer=9"):
            main(command)
    with pytest.raises(InputError, match="--taks"):
        main(["--debug", "--taks", "x"])


@pytest.mark.parametrize(
    ("argv", "debug", "rest"),
    [
        (["--debug"], True, []),
        (["--debug", "run.yaml"], True, ["run.yaml"]),
        (["--seed", "1", "--debug", "--task", "xnli"], True, ["--seed", "1", "--task", "xnli"]),
        (["--debug", "underflow_overflow"], False, ["--debug", "underflow_overflow"]),
        (["--seed", "1"], False, ["--seed", "1"]),
    ],
)
def test_two_meanings_of_debug(argv: list[str], debug: bool, rest: list[str]):
    assert takes_debug(argv) is debug
    assert argv == rest


def test_languages_without_data_are_left_out_with_a_warning(argv, tmp_path: Path, capsys):
    assert main(argv("pawsx", tmp_path / "out", f"{FEW} --languages sw,de,th")) == 0
    assert "warning: no test data for sw, th in" in capsys.readouterr().out
    assert list(RunResults.load(tmp_path / "out").scores) == ["de"]


@pytest.mark.parametrize(("task", "said"), [("pawsx", "fill the 8 sub-words of the run"), ("udpos", "")])
def test_what_is_cut_is_told(argv, tmp_path: Path, capsys, task: str, said: str):
    """Of pairs something is left out, sentences of words go on in another row."""
    assert main(argv(task, tmp_path / "out", f"{FEW} --languages en --max_length 8")) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note, ")]
    assert [note.partition(":")[0] for note in notes] == (["note, training data", "note, scored data"] if said else [])
    assert all(said in note for note in notes)


def pair(number: int, label: str) -> str:
    """A row, of words that the encoder knows."""
    return f"a{number % 6} b{number // 6},b1,{label}\n"


WHOLE = "".join(pair(number, "yes" if number % 2 else "no") for number in range(20))
OTHER = pair(30, "no")


@pytest.mark.parametrize(
    ("train", "development", "said"),
    [
        (WHOLE, OTHER, []),
        (
            WHOLE + pair(3, "yes") + pair(4, "yes"),
            OTHER,
            ["note, training data: 2 of 22 rows repeat an earlier one, 1 of them with another answer"],
        ),
        (
            WHOLE,
            OTHER + pair(3, "yes"),
            ["note, development data: 1 of 2 rows are training data too, and say too much"],
        ),
    ],
)
def test_rows_that_stand_there_twice_are_told(argv, tmp_path: Path, capsys, train, development, said):
    header = "sentence1,sentence2,label\n"
    contents = {"train": train, "dev": development, "test-de": pair(35, "yes")}
    for name, content in contents.items():
        (tmp_path / f"{name}.csv").write_text(header + content, encoding="utf-8")
    files = "{train: train.csv, validation: dev.csv, test: 'test-{language}.csv'}"
    (tmp_path / "mine.yaml").write_text(f"kind: pairs\nlabels: ['no', 'yes']\nfiles: {files}\n", encoding="utf-8")
    assert (
        main(
            argv(str(tmp_path / "mine.yaml"), tmp_path / "out", "--data files --num_train_epochs 1 --eval_strategy no")
        )
        == 0
    )
    printed = capsys.readouterr().out.replace("\n", " ")
    assert [note for note in said if note not in printed] == [] and printed.count("note, ") == len(said)


def test_choices_that_are_cut_are_not_the_same(argv, tmp_path: Path, capsys):
    """They may differ behind what is read."""
    prompt = "a1 b2 c3 " * 20
    rows = [json.dumps({"prompt": f"{prompt} {n}", "choices": ["a1", "b1"], "label": n % 2}) for n in range(6)]
    for name in ("train", "dev", "test-de"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    files = "{train: train.jsonl, validation: dev.jsonl, test: 'test-{language}.jsonl'}"
    (tmp_path / "mine.yaml").write_text(f"kind: choices\nfiles: {files}\n", encoding="utf-8")
    flags = "--data files --num_train_epochs 1 --eval_strategy no"
    assert main(argv(str(tmp_path / "mine.yaml"), tmp_path / "out", flags)) == 0
    printed = capsys.readouterr().out
    assert "fill" in printed and "repeat" not in printed and "training data too" not in printed


@pytest.mark.parametrize("fusion", ["--fusion aif", "--fusion scalar_mix"])
def test_bf16(argv, tmp_path: Path, fusion: str):
    assert main(argv("pawsx", tmp_path / "out", f"{FEW} {fusion} --bf16")) == 0
    assert RunResults.load(tmp_path / "out").training["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("flags", "native", "precision", "asked"),
    [
        ("", True, "float32", False),
        ("--bf16 false", True, "float32", False),
        ("--bf16 true", False, "bfloat16", True),
        ("--bf16 auto", True, "bfloat16", "auto (bfloat16)"),
        ("--bf16 Auto", False, "float32", "auto (float32)"),
    ],
)
def test_precision_that_was_asked_and_found(argv, tmp_path: Path, monkeypatch, flags, native, precision, asked):
    monkeypatch.setattr(command_line, "native_bf16", lambda use_cpu: native)
    assert main(argv("pawsx", tmp_path / "out", f"{FEW} {flags}")) == 0
    assert RunResults.load(tmp_path / "out").training["precision"] == precision
    assert json.loads((tmp_path / "out" / "settings.json").read_text(encoding="utf-8"))["bf16"] == asked


def test_another_precision_is_another_run(argv, tmp_path: Path, monkeypatch, capsys):
    flags = f"{FEW} --bf16 auto"
    monkeypatch.setattr(command_line, "native_bf16", lambda use_cpu: False)
    assert main(argv("pawsx", tmp_path / "out", flags)) == 0
    monkeypatch.setattr(command_line, "native_bf16", lambda use_cpu: True)
    capsys.readouterr()
    assert main(argv("pawsx", tmp_path / "out", f"{flags} --resume_from_checkpoint last")) == 2
    assert "bf16 'auto (float32)', not 'auto (bfloat16)'" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "use_cpu"), [("", True), ("--use_cpu false", True), ("--fp16", False)])
def test_bfloat16_on_a_cpu_says_that_it_is_one(monkeypatch, given: str, use_cpu: bool):
    """Transformers refuses bfloat16 without a GPU unless it is told to use none."""
    monkeypatch.setattr(command_line, "native_bf16", lambda use_cpu: True)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    _, training = CommandLine(["--bf16", "auto", *given.split()]).arguments("udpos", "none", "out")
    assert (training.bf16, training.use_cpu) == (use_cpu, use_cpu)


@pytest.mark.parametrize("value", ["perhaps", "2"])
def test_no_precision(argv, tmp_path: Path, capsys, value: str):
    assert main(argv("pawsx", tmp_path / "out", f"--bf16 {value}")) == 2
    assert "--bf16" in capsys.readouterr().err


def test_a_folder_of_its_own_for_each_command(argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = argv("pawsx", "unused", FEW)
    place = command.index("--output_dir")
    assert main(command[:place] + command[place + 2 :]) == 0
    (results,) = tmp_path.glob("runs/*/all_results.json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", results.parent.name)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "give --output_dir" in error_of(command[:place] + command[place + 2 :], capsys)


def test_bars_of_training_and_scoring(argv, tmp_path: Path, capsys):
    assert main(argv("pawsx", tmp_path / "out", f"{FEW} --disable_tqdm false --languages de,zh")) == 0
    shown = capsys.readouterr().err
    for label in ("training", "scoring dev", "scoring 2 languages"):
        assert label in shown
    assert "Writing model shards" not in shown and "Loading weights" not in shown


def test_other_processes_print_nothing(argv, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RANK", "1")
    assert main(argv("udpos", tmp_path / "out", "--fusion_layer 9")) == 2
    assert capsys.readouterr() == ("", "")


def test_results_say_how_to_repeat_them(argv, tmp_path: Path):
    assert main(argv("pawsx", tmp_path / "out", f"{FEW} --seed 9 --max_eval_samples 7")) == 0
    values = json.loads((tmp_path / "out" / "all_results.json").read_text(encoding="utf-8"))
    assert values["seed"] == 9 and values["training"]["max_eval_samples"] == 7
    assert set(values["support"].values()) == {7}


def test_the_layer_auto_is_found_and_told(argv, tmp_path, capsys):
    flags = "--fusion_layer auto --num_train_epochs 2 --eval_strategy no --compare_baseline"
    assert main(argv("panx", tmp_path / "out", flags)) == 0
    baseline, results = (RunResults.load(tmp_path / "out" / name) for name in ("baseline", "aif"))
    assert baseline.scouting is None and results.scouting is not None
    assert results.fusion_layer == results.scouting["layer"]
    scores = results.scouting["scores"]
    assert list(scores) == ["0", "1", "2"]
    assert scores[str(results.fusion_layer)] == max(scores.values())
    output = capsys.readouterr().out
    assert f"DLFA k={results.fusion_layer}, chosen on en development data" in output
    assert ", ".join(f"{k}: {score:.1f}" for k, score in scores.items()) in output
    card = (tmp_path / "out" / "aif" / "README.md").read_text(encoding="utf-8")
    assert f"layer {results.fusion_layer} (chosen on en development data)" in card


@pytest.mark.parametrize(
    ("languages", "left_out"), [("en", {"tatoeba", "bucc2018"}), ("en,de", set()), ("de", set()), ("fr", None)]
)
def test_tasks_without_any_asked_language_are_left_out(argv, tmp_path: Path, capsys, languages: str, left_out):
    command = CommandLine(argv("all", tmp_path / "out", f"--languages {languages}"))
    if left_out is None:
        with pytest.raises(InputError, match="no test data for fr"):
            launch_module.plan(command, tmp_path / "out")
        return
    planned = launch_module.plan(command, tmp_path / "out")
    assert set(XTREME_TASKS) - planned.keys() == left_out
    launch_module.warn_of_left_out(command, planned, launch_module.make_console())
    said = "".join(capsys.readouterr())
    assert all(task in said for task in left_out) and ("left out" in said) == bool(left_out)
