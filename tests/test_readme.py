"""README and results say what is true: commands parse, tables equal the results files, examples run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_dlfa.training.arguments import CommandLine


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
        run, _ = line.arguments(task, line.fusions[-1], tmp_path / "out")
        assert run.task == task


def test_documented_commands_are_found():
    assert len(documented_commands()) >= 6


def test_tables_equal_results_files():
    subprocess.run([sys.executable, ROOT / "results" / "tables.py", "--check"], check=True)


@pytest.mark.slow
def test_fine_tune_example(embedded_encoder: str, tmp_path: Path):
    command = [sys.executable, ROOT / "examples" / "fine_tune.py", embedded_encoder, tmp_path / "checkpoint"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"'label': '(entailment|neutral|contradiction)'", done.stdout)
    assert (tmp_path / "checkpoint" / "modeling_dlfa.py").exists()
