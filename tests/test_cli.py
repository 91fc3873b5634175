"""The ways in: the commands, their help, their exit codes, and the same run from Python."""

import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

import modeling_dlfa
from modeling_dlfa.__main__ import COMMANDS, main
from modeling_dlfa.cli import guarded
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import Task, TaskFiles
from modeling_dlfa.training.results import RunResults
from tests import forks


ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
# `-P`: as for a console script, the current directory is not searched.
DLFA = [sys.executable, "-P", "-m", "modeling_dlfa"]
SHORT = "--max_length 16 --learning_rate 5e-3 --per_device_train_batch_size 8 --num_train_epochs 1 --eval_strategy no"


def dlfa(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DLFA, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)


def forked(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As `dlfa`, where the libraries are imported already."""
    return forks.run([*DLFA[1:], *arguments], cwd=cwd, environment=ENVIRONMENT)


@pytest.fixture(scope="module")
def run_arguments(tiny_encoder: str, xtreme_folder: Path) -> list[str]:
    return ["--model_name_or_path", tiny_encoder, "--data", str(xtreme_folder), *SHORT.split(), "--use_cpu"]


@pytest.fixture(scope="module")
def finished(run_arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of PAWS-X; not to be written to."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    argv = ["train", "--task", "pawsx", "--output_dir", str(folder), *run_arguments]
    assert main([*argv, "--label_piece", "first", "--disable_tqdm", "true"]) == 0
    return folder


# ---------------------------------------------------------------------------------------------------------------------
# The table of commands
# ---------------------------------------------------------------------------------------------------------------------


def test_the_console_script_is_the_module():
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["dlfa"]
    module, _, name = script.partition(":")
    assert getattr(importlib.import_module(module), name) is main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there(command: str):
    module, _, name = COMMANDS[command][0].partition(":")
    try:
        assert callable(getattr(importlib.import_module(module), name))
    except ModuleNotFoundError as error:
        assert command == "predict" and error.name == "modeling_dlfa.predict"
        pytest.skip("predict is not there yet")


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_the_overview(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 0
    shown = capsys.readouterr()
    assert shown.err == "" and max(map(len, shown.out.splitlines())) <= 119
    assert [line.split()[0] for line in shown.out.splitlines() if line.startswith("  ")] == list(COMMANDS)


def test_the_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dlfa {modeling_dlfa.__version__}\n"


@pytest.mark.parametrize(
    ("word", "advice"),
    [("trian", "did you mean 'train'?"), ("x", "expected one of train, score"), ("--debgu", "expected one of train")],
)
def test_an_unknown_command(word: str, advice: str, capsys: pytest.CaptureFixture[str]):
    assert main([word, "--task", "xnli"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: dlfa: unknown command {word!r}; {advice}") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("train --lerning_rate 3", "did you mean '--learning_rate'?"),
        ("train --max_stps=3", "did you mean '--max_steps'?"),
        ("study run x.yaml --worker 2", "did you mean '--workers'?"),
        ("train --zzz", "--help lists all arguments"),
    ],
)
def test_an_unknown_flag(given: str, advice: str, capsys: pytest.CaptureFixture[str]):
    assert main(given.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: unrecognized arguments: --") and error.endswith(f" ({advice})\n")


# ---------------------------------------------------------------------------------------------------------------------
# Help
# ---------------------------------------------------------------------------------------------------------------------

LOADED = """
import atexit, runpy, sys
heavy = "torch", "transformers", "datasets", "optuna"
atexit.register(lambda: print([name for name in heavy if name in sys.modules]))
sys.argv = sys.argv[1:]
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
OWN_COMMANDS = [command for command in COMMANDS if command != "predict"]


@pytest.mark.parametrize(
    "words",
    [
        ["modeling_dlfa"],
        ["modeling_dlfa", "--version"],
        *(["modeling_dlfa", command, "--help"] for command in OWN_COMMANDS),
        ["modeling_dlfa.study", "--help"],
        ["modeling_dlfa.publishing", "--help"],
        ["modeling_dlfa.training", "run.yaml", "--seed", "2", "-h"],
        [str(ROOT / "run_xtreme.py"), "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_no_library(words: list[str]):
    done = subprocess.run([sys.executable, "-c", LOADED, *words], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) > 1


@pytest.mark.parametrize("command", OWN_COMMANDS)
def test_help_of_commands_looks_alike(command: str, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.fullmatch(rf"usage: dlfa {command} .*\[--ARGUMENT VALUE \.\.\.\]", text.splitlines()[0])
    assert "--debug" in text and "None" not in text


def test_all_arguments(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--help-all"]) == 0
    text = capsys.readouterr().out
    assert "--fusion_layer" in text and "--gradient_accumulation_steps" in text


# ---------------------------------------------------------------------------------------------------------------------
# Exit codes
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "--taks", "xnli"],
        ["score"],
        ["score", "nowhere"],
        ["study", "run"],
        ["study", "start", "x.yaml"],
        ["study", "run", "nowhere.yaml"],
        ["publish", "nowhere"],
        ["publish", "nowhere", "user/name"],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line_and_debug_shows_where(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and re.fullmatch(r"error: [^\n]+\n", shown.err)
    with pytest.raises(InputError):
        main([*argv, "--debug"])


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (None, 0, ""),
        (3, 3, ""),
        (SystemExit(0), 0, ""),
        (SystemExit("said\n"), 1, ""),
        (InputError("bad hf_1234"), 2, "error: bad ***\n"),
        (KeyboardInterrupt(), 130, "goes on\n"),
        (OSError("the disk\nis full"), 1, "error: OSError: the disk is full (--debug shows where)\n"),
        (ConnectionError("no Hub"), 1, "error: no Hub\n"),
    ],
)
def test_how_a_command_ends(end, code: int, said: str, capsys: pytest.CaptureFixture[str]):
    def body(argv: list[str], debug: bool) -> int | None:
        if isinstance(end, BaseException):
            raise end
        return end

    def clean(text: str) -> str:
        return text.replace("hf_1234", "***")

    assert guarded(body, [], interrupted="goes on", failures=(ConnectionError,), clean=clean) == code
    assert capsys.readouterr() == ("", said)
    if isinstance(end, Exception):
        with pytest.raises(type(end)):
            guarded(body, ["--debug"], failures=(ConnectionError,))


def test_whoever_reads_the_output_may_stop():
    program = (
        "import sys; from modeling_dlfa.cli import guarded\n"
        "sys.exit(guarded(lambda *_: [print('line') for _ in range(100_000)] and 0, []))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"line\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_exit_codes_of_real_processes(tmp_path: Path):
    done = dlfa("train", "--task", "quad", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and re.fullmatch(r"error: [^\n]*quad[^\n]*\n", done.stderr)
    done = forked("train", "--task", "quad", "--debug", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_one_line(tmp_path: Path):
    program = "import sys; sys.modules['optuna'] = None; from modeling_dlfa.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "study", "run", "x.yaml"], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "error: optuna is not installed: pip install 'modeling-dlfa[study]'\n"


def test_control_c_while_libraries_are_imported(tmp_path: Path):
    """It takes seconds, so that this is when people press it."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [*DLFA, "train"],
        env={**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, error) == (130, "interrupted\n")


# ---------------------------------------------------------------------------------------------------------------------
# A task in the current directory
# ---------------------------------------------------------------------------------------------------------------------

OWN_TASK = """
from helper_of_own import LABELS
from modeling_dlfa import Task

TASK = Task("own", "pairs", labels=LABELS)
"""


@pytest.fixture
def own_task(tmp_path: Path) -> Path:
    (tmp_path / "own_of_cli.py").write_text(OWN_TASK)
    (tmp_path / "helper_of_own.py").write_text("LABELS = ('no', 'yes')\n")
    (tmp_path / "yaml.py").write_text("raise AssertionError('hides a library')\n")
    return tmp_path


def test_a_task_of_the_current_directory(own_task: Path):
    done = dlfa("train", "--task", "own_of_cli:TASK", "--data", "nowhere", "--output_dir", "out", cwd=own_task)
    assert done.returncode == 2 and "no data folder 'nowhere'" in done.stderr
    done = forked("train", "--task", "another_of_cli:TASK", cwd=own_task)
    assert done.returncode == 2 and "No module named 'another_of_cli'" in done.stderr


def test_the_path_changes_only_where_it_helps(own_task: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(own_task)
    before = list(sys.path)
    get_task("xnli")
    for missing in ("another_of_cli:TASK", "modeling_dlfa.nowhere:TASK"):
        with pytest.raises(InputError, match="No module named"):
            get_task(missing)
    assert sys.path == before
    assert get_task("own_of_cli:TASK").labels == ("no", "yes")
    assert sys.path == [*before, str(own_task)]


# ---------------------------------------------------------------------------------------------------------------------
# Scoring a finished run
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def score(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., RunResults]:
    """score(*flags): the results of `dlfa score` of the finished run."""

    def command(*flags: str) -> RunResults:
        output = tmp_path / "scored"
        assert main(["score", str(finished), "--output_dir", str(output), "--use_cpu", *flags]) == 0, (
            capsys.readouterr()
        )
        assert "zero-shot average" in capsys.readouterr().out
        return RunResults.load(output)

    return command


def test_scoring_again_gives_the_same(score, finished: Path, tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert asdict(score()) == asdict(RunResults.load(finished))
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before
    assert not list(tmp_path.rglob("*.safetensors"))
    for name in ("test-de.tsv", "test-zh.tsv"):
        where = Path("predictions") / "pawsx" / name
        assert (tmp_path / "scored" / where).read_text() == (finished / where).read_text()


def test_scoring_other_languages_and_another_split(score, finished: Path):
    results = score("--languages", "de,ru", "--eval_split", "validation", "--max_eval_samples", "9")
    assert (results.eval_split, results.support) == ("validation", {"de": 9, "ru": 9})
    kept = RunResults.load(finished)
    assert results.development_score == kept.development_score and results.training == kept.training


def test_scoring_needs_no_training_data(score, xtreme_folder: Path, finished: Path, tmp_path: Path):
    (tmp_path / "only" / "pawsx").mkdir(parents=True)
    for code in ("de", "ru"):
        text = (xtreme_folder / "pawsx" / f"test-{code}.tsv").read_text()
        (tmp_path / "only" / "pawsx" / f"test-{code}.tsv").write_text(text)
    results = score("--data", str(tmp_path / "only"))
    assert results.scores == {code: RunResults.load(finished).scores[code] for code in ("de", "ru")}
    assert results.eval_data == str(tmp_path / "only")


def test_scoring_the_users_own_files(score, xtreme_folder: Path, finished: Path, tmp_path: Path):
    text = (xtreme_folder / "pawsx" / "test-de.tsv").read_text()
    (tmp_path / "german.tsv").write_text(f"one\ttwo\tsame\n{text}")
    (tmp_path / "german.yaml").write_text(
        "kind: pairs\nlabels: ['0', '1']\ncolumns: {sentence1: one, sentence2: two, label: same}\n"
        "files: {train: german.tsv, validation: german.tsv, test: {de: german.tsv, en: german.tsv}}\n"
    )
    results = score("--task", str(tmp_path / "german.yaml"))
    assert results.scores["de"] == RunResults.load(finished).scores["de"]
    assert (results.task, results.eval_data) == ("german", "files")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--task", "xnli"], "answers with 0, 1, expected those of xnli"),
        (["--languages", "xx"], "no test data for xx"),
        (["--data", "nowhere"], "no data folder 'nowhere'"),
        (["--seed", "3"], "unrecognized arguments: --seed 3"),
    ],
)
def test_what_cannot_be_scored(finished: Path, tmp_path: Path, flags: list[str], message: str, capsys):
    assert main(["score", str(finished), "--output_dir", str(tmp_path / "out"), "--use_cpu", *flags]) == 2
    assert message in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------------
# From Python
# ---------------------------------------------------------------------------------------------------------------------


def without_times(folder: Path) -> dict:
    values = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name != "train_runtime"}


def test_run_is_the_command(run_arguments: list[str], tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, capsys):
    flags = '--config_overrides {"aif_output":"scale"} --languages de,ru --fusion_layer 1 --eval_strategy epoch'
    stages = "--intermediate_tasks panx --save_strategy epoch --stages_dir"
    argv = ["--task", "udpos", "--output_dir", str(tmp_path / "command"), *run_arguments, *flags.split()]
    assert main(["train", *argv, *stages.split(), str(tmp_path / "stages"), "--disable_tqdm", "true"]) == 0
    capsys.readouterr()
    results = modeling_dlfa.run(
        task="udpos",
        output_dir=tmp_path / "python",
        model_name_or_path=tiny_encoder,
        data=xtreme_folder,
        max_length=16,
        learning_rate=5e-3,
        per_device_train_batch_size=8,
        num_train_epochs=1,
        eval_strategy="epoch",
        save_strategy="epoch",
        use_cpu=True,
        config_overrides={"aif_output": "scale"},
        languages=["de", "ru"],
        fusion_layer=1,
        intermediate_tasks=("panx",),
        stages_dir=tmp_path / "stages",
        max_train_samples=None,
    )
    assert capsys.readouterr() == ("", "")
    assert without_times(tmp_path / "python") == without_times(tmp_path / "command")
    assert json.loads(json.dumps(asdict(results))) == asdict(RunResults.load(tmp_path / "python"))
    assert len(list((tmp_path / "stages").glob("panx-*/all_results.json"))) == 1  # found again
    assert [stage["task"] for stage in results.intermediate] == ["panx"]


def test_run_takes_a_task(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path):
    folder = xtreme_folder / "pawsx"
    paths = {"train": {"en": folder / "train-en.tsv"}, "validation": {"en": folder / "dev-en.tsv"}}
    paths["test"] = {code: folder / f"test-{code}.tsv" for code in ("en", "de")}
    columns: dict[str, str | int] = {"sentence1": 0, "sentence2": 1, "label": 2}
    task = Task("mine", "pairs", labels=("0", "1"), files=TaskFiles(paths, columns))  # pyright: ignore[reportArgumentType]
    results = modeling_dlfa.run(
        task,
        output_dir=tmp_path / "out",
        model_name_or_path=tiny_encoder,
        max_length=16,
        num_train_epochs=1,
        eval_strategy="no",
        use_cpu=True,
    )
    assert (results.task, results.data, list(results.scores)) == ("mine", "files", ["en", "de"])
    assert (tmp_path / "out" / "predictions" / "mine" / "test-de.tsv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compare_baseline": True}, "run(compare_baseline=True): this is one run"),
        ({"task": "all"}, "run('all'): this is one run"),
        ({"task": "quad"}, "quad"),
        ({"fusion_layers": 3}, "run(): unknown argument 'fusion_layers'; did you mean 'fusion_layer'?"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"fusion": "product of nothing"}, "--fusion product of nothing"),
        ({"model_name_or_path": "no/such-encoder"}, "cannot open the encoder no/such-encoder"),
        ({"max_length": 10**4299}, "--max_length (a number of more than 70 digits): expected a number of at most"),
        ({"max_length": 10**5000}, "run(): max_length: (a number of more than 70 digits)"),
        ({"max_length": 16.5}, "invalid int value: '16.5'"),
        ({"max_length": True}, "invalid int value: 'True'"),
        ({"seed": "9" * 5000}, "invalid int value"),
        ({"learning_rate": float("nan")}, "--learning_rate nan: expected a finite number"),
        ({"num_train_epochs": -1}, "--num_train_epochs -1: expected a positive number"),
        (
            {"languages": {"de"}},
            "run(): languages: expected text, a number, or a list or dictionary of such, found set",
        ),
        ({"languages": ["de", None]}, "run(): languages: expected text, a number, or a list or dictionary of such"),
        ({"fusion": b"aif"}, "run(): fusion: expected text, a number, or a list or dictionary of such, found bytes"),
        ({"objectives": {"r_drop": object()}}, "run(): objectives: Object of type object is not JSON serializable"),
        ({"use_cpu": "perhaps"}, "Truthy value expected: got perhaps"),
        ({"data": 5}, "run(): data: expected a name or path, found int"),
        ({"task": 5}, "run(): task: expected a name or path, found int"),
        ({"output_dir": 5}, "run(): output_dir: expected a name or path, found int"),
        ({"hub_token": "hf_secret"}, "--hub_token: a run is not uploaded"),
        ({"prediction_loss_only": True}, "--prediction_loss_only: scores are made from all predictions"),
    ],
)
def test_run_refuses_in_one_line(arguments: dict, message: str, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        modeling_dlfa.run(**{"output_dir": tmp_path / "out", **arguments})
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_run_leaves_the_libraries_as_loud_as_they_were(tmp_path: Path):
    import datasets
    import transformers

    bars = datasets.are_progress_bars_disabled()
    transformers.logging.set_verbosity_info()
    try:
        with pytest.raises(InputError):
            modeling_dlfa.run(fusion="nothing", output_dir=tmp_path / "out")
        assert transformers.logging.get_verbosity() == logging.INFO
        assert datasets.are_progress_bars_disabled() is bars
    finally:
        transformers.logging.set_verbosity_warning()
