"""A path is a path in every command and file: `~` is the home folder, and nothing is written where others read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import modeling_dlfa
from modeling_dlfa.__main__ import main
from modeling_dlfa.data.own import OwnFilesSource
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.errors import InputError
from modeling_dlfa.files import check_writable, expanded
from modeling_dlfa.study.engine import Engine
from modeling_dlfa.study.spec import load_spec
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import Task, TaskFiles
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.launch import output_root, plan
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.stages import plan_stages, stages_folder


SHORT = "--max_length 16 --learning_rate 5e-3 --per_device_train_batch_size 8 --max_steps 2 --eval_strategy no"
SHORT += " --use_cpu --disable_tqdm true --max_eval_samples 8 --languages de"


@pytest.fixture
def home(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with an encoder and data, and a current directory that is elsewhere and stays empty."""
    folder, here = tmp_path / "home", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    (folder / "encoder").symlink_to(tiny_encoder)
    (folder / "data").symlink_to(xtreme_folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(here)
    yield folder
    assert not list(here.iterdir()), "something was written beside the home folder"


PLACES = {"data": "~/data", "model_name_or_path": "~/encoder", "output_dir": "~/out"}


@pytest.mark.parametrize("form", ["flags", "yaml", "json", "python"])
def test_a_run_in_every_form(home: Path, tmp_path: Path, form: str):
    file = tmp_path / f"run.{form}"
    if form == "python":
        numbers = {"max_length": 16, "max_steps": 2, "eval_strategy": "no", "use_cpu": True, "languages": ["de"]}
        modeling_dlfa.run("pawsx", **{**PLACES, **numbers, "output_dir": Path("~/out")})
    elif form == "flags":
        flags = [word for name, value in PLACES.items() for word in (f"--{name}", value)]
        assert main(["train", "--task", "pawsx", *flags, *SHORT.split()]) == 0
    else:
        file.write_text({"yaml": yaml.safe_dump, "json": json.dumps}[form](PLACES), encoding="utf-8")
        file.rename(home / file.name)
        assert main(["train", f"~/{file.name}", "--task", "pawsx", *SHORT.split()]) == 0
    assert RunResults.load("~/out").encoder == str(home / "encoder")
    assert (home / "out" / "model.safetensors").is_file()


def test_every_command_after_a_run(home: Path, tmp_path: Path, capsys):
    flags = [word for name, value in PLACES.items() for word in (f"--{name}", value)]
    assert main(["train", "--task", "pawsx", *flags, *SHORT.split(), "--intermediate_tasks", "udpos"]) == 0
    assert [path.name.partition("-")[0] for path in (home / "stages").glob("*/")] == ["udpos"]
    assert main(["train", "--task", "pawsx", *flags, *SHORT.split(), "--intermediate_tasks", "udpos",
                 "--resume_from_checkpoint", "last"]) == 0  # fmt: skip
    assert main(["score", "~/out", "--languages", "ru", "--output_dir", "~/scored", "--use_cpu"]) == 0
    assert (home / "scored" / "all_results.json").is_file()
    (home / "lines.txt").write_text("a b\tc d\n", encoding="utf-8")
    assert main(["predict", "~/out", "~/lines.txt", "--output", "~/labelled.tsv"]) == 0
    assert (home / "labelled.tsv").is_file()
    capsys.readouterr()
    assert main(["publish", "~/out", "user/name", "--dry_run"]) == 0
    assert "stays here: " in capsys.readouterr().out
    assert modeling_dlfa.predict("~/out", [("a b", "c d")])[0]["label"] in ("0", "1")


def test_stages_and_what_they_are_given(home: Path):
    own = {"udpos": {"data": "~/data"}}
    flags = ["--data", "~/data", "--stages_dir", "~/kept", "--output_dir", "~/out", "--intermediate_tasks", "udpos"]
    command = CommandLine(["--task", "pawsx", *flags, "--intermediate_arguments", json.dumps(own)])
    arguments, _ = command.arguments("pawsx", "aif", output_root(command))
    assert stages_folder(arguments, output_root(command)) == home / "kept"
    (stage,) = plan_stages(command, "pawsx", "aif")
    assert stage.arguments(None, "~/stage")[0].data == str(home / "data")
    assert stage.arguments("~/start", "~/stage")[0].model_name_or_path == str(home / "start")
    named = CommandLine(["--resume_from_checkpoint", "~/out/checkpoint-5"]).arguments("udpos", "aif", "out")[1]
    assert named.resume_from_checkpoint == str(home / "out/checkpoint-5")


def test_studies(home: Path):
    study: dict = {"tasks": ["pawsx"], "models": {"dlfa": {}}, "encoders": ["~/encoder"], "output_dir": "~/study"}
    study["arguments"] = {"data": "~/data", "max_length": 16}
    (home / "small.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    spec = load_spec("~/small.yaml")
    assert spec.output_dir == home / "study" and load_spec("~/small.yaml", "~/other").output_dir == home / "other"
    spec.check()
    arguments, _ = spec.cells[0].run_arguments("~/cell")
    assert (arguments.data, arguments.model_name_or_path) == (str(home / "data"), str(home / "encoder"))
    Engine(spec, "sqlite:///~/somewhere/study.db")
    assert (home / "somewhere" / "study.db").is_file()


def test_tasks_and_their_files(home: Path, tmp_path: Path):
    for split in ("train", "dev", "test"):
        (home / f"{split}-en.tsv").write_text("a\tyes\nb\tno\n", encoding="utf-8")
    files = {"train": "~/train-en.tsv", "validation": "~/dev-en.tsv", "test": "~/test-{language}.tsv"}
    text = {"kind": "pairs", "labels": ["no", "yes"], "files": files, "columns": {"sentence1": 0, "label": 1}}
    (home / "own.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    assert len(OwnFilesSource().load(get_task("~/own.yaml"), "test", "en")) == 2
    paths = {split: {"en": Path(f"~/{name}-en.tsv")} for split, name in (("train", "train"), ("validation", "dev"))}
    columns = {"sentence1": 0, "label": 1}
    task = Task("own", "pairs", labels=("no", "yes"), files=TaskFiles(paths, columns))  # pyright: ignore
    assert len(OwnFilesSource().load(task, "train", "en")) == 2
    assert open_source("~/data").description == str(home / "data")
    assert resolve_encoder("~/encoder") == str(home / "encoder")


@pytest.mark.parametrize("given", ["user/name", "./~/x", "a~b", "/a/~", "..", ""])
def test_other_paths_stay(given: str):
    assert expanded(given) == given


def test_a_home_folder_of_nobody():
    with pytest.raises(InputError, match="~nobody-here/x: there is no home folder of ~nobody-here"):
        expanded("~nobody-here/x")


# ---------------------------------------------------------------------------------------------------------------------
# Where a run may write
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(tiny_encoder: str, xtreme_folder: Path):
    """planned(flags): a look at everything that could stop a command, and nothing more."""

    def look(*flags: object) -> None:
        start = ["--task", "pawsx", "--data", xtreme_folder, "--model_name_or_path", tiny_encoder, *SHORT.split()]
        command = CommandLine([str(word) for word in (*start, *flags)])
        plan(command, output_root(command))

    return look


def test_an_output_folder_among_its_own_stages(planned, tmp_path: Path):
    with_stages = ("--intermediate_tasks", "udpos", "--output_dir")
    planned(*with_stages, tmp_path / "out")
    with pytest.raises(InputError, match="stages is the folder of the stages: give another --output_dir"):
        planned(*with_stages, tmp_path / "stages")
    with pytest.raises(InputError, match="lies in the folder of the stages"):
        planned(*with_stages, tmp_path / "kept" / "udpos-123" / "out", "--stages_dir", tmp_path / "kept")
    with pytest.raises(InputError, match="--stages_dir .* lies in the output folder"):
        planned(*with_stages, tmp_path / "out", "--stages_dir", tmp_path / "out" / "stages")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--stages_dir .*file is a file"):
        planned(*with_stages, tmp_path / "out", "--stages_dir", tmp_path / "file")
    planned("--output_dir", tmp_path / "stages")  # without any it is a name as others are


def test_an_output_folder_among_what_is_read(planned, tiny_encoder: str, xtreme_folder: Path):
    with pytest.raises(InputError, match="lies in the encoder's folder"):
        planned("--output_dir", Path(tiny_encoder) / "out")
    with pytest.raises(InputError, match="lies in the folder of the data"):
        planned("--output_dir", xtreme_folder / "pawsx" / "out")
    for folder in (Path(tiny_encoder), xtreme_folder):
        with pytest.raises(InputError, match="is not empty"):
            planned("--output_dir", folder)


def test_an_output_folder_that_cannot_be_written(planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    for given in ("file", "file/out"):
        with pytest.raises(InputError, match="is a file"):
            planned("--output_dir", tmp_path / given)
    with pytest.raises(InputError, match="--output_dir.*no file can be called so"):
        planned("--output_dir", tmp_path / ("x" * 300))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # tests may be run by root
    with pytest.raises(InputError, match=f"--output_dir {tmp_path}/a/b: {tmp_path} cannot be written to"):
        planned("--output_dir", tmp_path / "a" / "b")
    with pytest.raises(InputError, match="cannot be written to"):
        check_writable(tmp_path, "--output")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
