"""README and results say what is true: commands parse, tables equal the results files, examples run."""

import re
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import yaml

from modeling_dlfa.errors import InputError
from modeling_dlfa.publishing.__main__ import parser as publishing_parser
from modeling_dlfa.publishing.hub import check_repository
from modeling_dlfa.study.__main__ import COMMANDS
from modeling_dlfa.study.records import load_records
from modeling_dlfa.study.report import write_report
from modeling_dlfa.study.spec import StudySpec, load_spec
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.command_line import CommandLine


ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def documented_commands() -> list[str]:
    """Every call of run_xtreme.py in the README, the script's docstring and the examples."""
    script = (ROOT / "run_xtreme.py").read_text(encoding="utf-8").replace("\\\n", " ")
    texts = [README.replace("\\\n", " "), script, *(path.read_text("utf-8") for path in ROOT.glob("examples/*.yaml"))]
    lines = [line.strip("# `") for text in texts for line in text.splitlines()]
    return [line for line in lines if re.match(r"(python|accelerate|torchrun)\b.* run_xtreme\.py", line)]


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("pip install")]
    assert commands == [
        'pip install -c constraints.txt -e ".[embedded]" && python run_xtreme.py',
        'pip install -c constraints.txt -e ".[embedded,test]" && pytest',
    ]


@pytest.mark.parametrize("command", documented_commands())
def test_documented_commands_parse(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    argv = shlex.split(command.split("run_xtreme.py", 1)[1], comments=True)
    if argv and argv[0] == "run.yaml":
        (tmp_path / "run.yaml").write_text("task: panx\n", encoding="utf-8")
        argv[0] = str(tmp_path / "run.yaml")
    elif argv and argv[0].endswith(".yaml"):
        argv[0] = str(ROOT / argv[0])
    argv = [argument for argument in argv if argument not in ("…", "--bf16")]  # no such GPU in a test
    monkeypatch.chdir(tmp_path)
    line = CommandLine(argv)
    for task in line.tasks:
        if get_task(task).kind.trains:  # the others look at the encoder first, which may be on the Hub
            run, _ = line.arguments(task, line.fusions[-1], tmp_path / "out")
            assert run.task == task


def test_documented_commands_are_found():
    assert len(documented_commands()) >= 6


def test_what_works_names_tests():
    """Every row of the table names tests that are there."""
    rows = [line for line in README.partition("## What works")[2].partition("## ")[0].splitlines() if "::" in line]
    assert len(rows) >= 20
    for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", "\n".join(rows)):
        assert re.search(rf"^def {name}\(", (ROOT / "tests" / path).read_text("utf-8"), re.MULTILINE), (
            f"{path}::{name}"
        )
    assert all(re.search(r"`[\w/]+\.py::\w+`", row) for row in rows)


@pytest.mark.parametrize("command", re.findall(r"^python -m modeling_dlfa\.publishing (.*)$", README, re.MULTILINE))
def test_documented_publishing_parses(command: str):
    arguments = publishing_parser().parse_args(shlex.split(command))
    assert check_repository(arguments.repository) == "user/dlfa-udpos"


@pytest.mark.slow
def test_tables_equal_results_files():
    subprocess.run([sys.executable, ROOT / "results" / "tables.py", "--check"], check=True)


def committed(study: Path) -> Path:
    """The folder of a study's results."""
    return ROOT / load_spec(study).output_dir


STUDIES = sorted((ROOT / "examples" / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_example_studies_could_start(path: Path, embedded_encoder: str):
    spec = load_spec(path)
    if (
        spec.arguments.get("bf16") and not torch.cuda.is_available()
    ):  # made for a GPU; elsewhere it is asked to do without
        with pytest.raises(InputError, match="use_cpu"):
            spec.check()
        spec = replace(spec, arguments={**spec.arguments, "use_cpu": True})
    if "embedded" not in spec.encoders:  # made for the Hub, of which the tests have nothing
        with pytest.raises(InputError, match="cannot open the encoder"):
            spec.check()
        spec = replace(spec, encoders=["embedded"])
    spec.check()
    assert len(spec.cells) >= 2


def test_the_study_in_the_readme_is_one(tmp_path: Path):
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "study.yaml"
    path.write_text(block, encoding="utf-8")
    spec = load_spec(path)
    assert len(spec.seeds) == 5 and len(spec.encoders) == 2 and set(spec.models) == {"dlfa", "mix"}


def test_every_entry_of_a_study_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "study.yaml").write_text(block, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    spec = load_spec(tmp_path / "study.yaml")
    assert set(yaml.safe_load(block)) == {entry.name for entry in fields(StudySpec)}
    named = {model.name for model in spec.expanded("embedded")}
    assert {"baseline", "dlfa-k4", "dlfa-k8", "two-k4+8", "alone-k0", "alone-k11", "dlfa-k4+trees"} <= named
    assert {line.split()[2] for line in re.findall(r"`(dlfa study \w+) FILE`", text)} == set(COMMANDS)


def test_documented_study_commands():
    commands = re.findall(r"^python -m modeling_dlfa\.study (\w+) (\S+)", README, flags=re.MULTILINE)
    assert ("run", "examples/studies/quick.yaml") in commands
    assert all(command in COMMANDS and (ROOT / file).exists() for command, file in commands)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in STUDIES if committed(path).exists()], ids=lambda path: path.stem)
def test_committed_reports_are_those_of_the_committed_records(path: Path, tmp_path: Path):
    """Pages and tables; pictures depend on the version of matplotlib."""
    spec = load_spec(path, committed(path))
    write_report(spec, load_records(spec.records, spec.cells), tmp_path)
    made = [file.name for file in tmp_path.iterdir() if file.suffix in (".md", ".csv")]
    assert len(made) >= 5
    for file in made:
        assert (tmp_path / file).read_text("utf-8") == (committed(path) / "report" / file).read_text("utf-8"), file
