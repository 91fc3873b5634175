"""README, docs and results say what is true: commands parse, tables equal the results files, links lead somewhere."""

import ast
import csv
import importlib
import io
import math
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import yaml

from modeling_dlfa.analysis.commands import load_analysis
from modeling_dlfa.analysis.commands import parser as analysis_parser
from modeling_dlfa.cache import parser as cache_parser
from modeling_dlfa.demo.__main__ import parser as demo_parser
from modeling_dlfa.errors import InputError
from modeling_dlfa.predict import parser as predict_parser
from modeling_dlfa.publishing.__main__ import parser as publishing_parser
from modeling_dlfa.publishing.hub import check_repository
from modeling_dlfa.study.__main__ import COMMANDS
from modeling_dlfa.study.__main__ import parser as study_parser
from modeling_dlfa.study.records import load_records
from modeling_dlfa.study.report import write_report
from modeling_dlfa.study.spec import StudySpec, load_spec
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.average_runs import parser as average_parser
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.score import parser as score_parser


ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = {"README.md": README, **{f"docs/{name}": text for name, text in DOCS.items()}}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def printed_commands() -> list[str]:
    """Every line of a block of commands, in README and docs; of several joined by && or a pipe each one."""
    lines = [line for text in PAGES.values() for block in blocks(text, "bash") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r" && | \| ", line)]
    return list(dict.fromkeys(part for part in parts if part and not part.startswith(("#", "cd "))))


def documented_runs() -> list[str]:
    """Every call of run_xtreme.py or `dlfa train` in README, docs, the script's docstring and the examples."""
    script = (ROOT / "run_xtreme.py").read_text(encoding="utf-8").replace("\\\n", " ")
    texts = [script, *(path.read_text("utf-8") for path in ROOT.glob("examples/*.yaml"))]
    lines = [line.strip("# `") for text in texts for line in text.splitlines()] + printed_commands()
    return [line for line in dict.fromkeys(lines) if RUN.match(line) and "`" not in line]


RUN = re.compile(r"((python|accelerate|torchrun)\b.* |python )run_xtreme\.py|dlfa train\b")


def test_readme_is_short():
    assert len(README.splitlines()) <= 130


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("pip install")]
    assert commands == [
        'pip install -c constraints.txt -e ".[embedded]" && python run_xtreme.py',
        'pip install -c constraints.txt -e ".[embedded,test]" && pytest -n 2 --dist worksteal',
    ]
    assert README.index("git clone") < README.index("pip install")


@pytest.mark.parametrize("command", documented_runs())
def test_documented_runs_parse(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    argv = shlex.split(re.split(r"run_xtreme\.py|dlfa train", command, maxsplit=1)[1], comments=True)
    argv = [argument for argument in argv if argument not in ("…", "--bf16")]  # no such GPU in a test
    argv = [str(ROOT / argument) if argument.startswith("examples/") else argument for argument in argv]
    monkeypatch.chdir(tmp_path)
    line = CommandLine(argv)
    for task in line.tasks:
        if get_task(task).kind.trains:  # the others look at the encoder first, which may be on the Hub
            run, _ = line.arguments(task, line.fusions[-1], tmp_path / "out")
            assert run.task == task


def test_documented_runs_are_found():
    assert len(documented_runs()) >= 15


PARSERS = {
    "predict": predict_parser,
    "score": score_parser,
    "average": average_parser,
    "cache": cache_parser,
    "publish": publishing_parser,
    "demo": demo_parser,
}
OTHERS = [command for command in printed_commands() if not RUN.match(command)]


@pytest.mark.parametrize("command", OTHERS)
def test_other_documented_commands(command: str):
    """Their arguments are those that the command takes, and files of this repository are there."""
    first, *argv = shlex.split(command.partition(" > ")[0], comments=True)
    if command.startswith("pip install"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        asked = re.findall(r"\[(.*)\]", command)
        assert not asked or set(asked[0].split(",")) <= extras.keys()
    elif (first, *argv[:2]) == ("python", "-m", "modeling_dlfa.study") or [first, *argv[:1]] == ["dlfa", "study"]:
        asked = study_parser().parse_args(argv[2:] if first == "python" else argv[1:])
        assert (ROOT / asked.study).exists()
    elif [first, *argv[:1]] == ["dlfa", "analyse"]:
        analysis_parser(argv[1], load_analysis(argv[1])).parse_args(argv[2:])
    elif first == "dlfa":
        PARSERS[argv[0]]().parse_args(argv[1:])
    elif first == "python":
        assert (ROOT / argv[0]).is_file()
    elif first == "mkdocs":
        assert (ROOT / argv[argv.index("-f") + 1]).is_file()
    else:
        assert first in ("git", "pytest", "printf", "echo")


@pytest.mark.parametrize("page", PAGES)
def test_python_of_a_page(page: str):
    """It parses, and what it imports is there."""
    for block in blocks(PAGES[page], "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("modeling_dlfa"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


LINKED = [*PAGES, "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "model_cards/README.md"]
LINKED += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "results").rglob("README.md"))]


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page: str):
    path = ROOT / page
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", path.read_text(encoding="utf-8")):
        there = path.parent / target if target else path
        assert there.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(there), f"{page}: {target}#{anchor}"


def test_every_page_is_named():
    """In README's list, and in the site's menu."""
    menu = (ROOT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    for name in DOCS:
        assert f"](docs/{name})" in README, name
        assert re.search(rf"^ +- [^#\n]+: {re.escape(name)}$", menu, re.MULTILINE), name


def test_the_task_file_in_the_readme_is_the_example():
    (block,) = blocks(README, "yaml")
    shown, whole = (
        yaml.safe_load(block),
        yaml.safe_load((ROOT / "examples" / "tasks" / "hotel.yaml").read_text("utf-8")),
    )
    assert shown == {name: value for name, value in whole.items() if name not in ("note", "license")}


def test_what_works_names_tests():
    """Every row of the table names tests that are there."""
    rows = [line for line in DOCS["compatibility.md"].splitlines() if "::" in line]
    assert len(rows) >= 20
    for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", "\n".join(rows)):
        assert re.search(rf"^def {name}\(", (ROOT / "tests" / path).read_text("utf-8"), re.MULTILINE), (
            f"{path}::{name}"
        )
    assert all(re.search(r"`[\w/]+\.py::\w+`", row) for row in rows)


def test_documented_publishing_names_repositories():
    commands = [shlex.split(command) for command in printed_commands() if command.startswith("dlfa publish")]
    assert len(commands) >= 2 and all(check_repository(command[3]) for command in commands)


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
        spec.arguments.get("bf16") is True and not torch.cuda.is_available()
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


def test_the_first_study_of_the_page_is_one(tmp_path: Path):
    block, _ = blocks(DOCS["studies.md"], "yaml")
    path = tmp_path / "study.yaml"
    path.write_text(block, encoding="utf-8")
    spec = load_spec(path)
    assert len(spec.seeds) == 5 and len(spec.encoders) == 2 and set(spec.models) == {"dlfa", "mix"}


def test_every_entry_of_a_study_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = DOCS["studies.md"]
    _, block = blocks(text, "yaml")
    (tmp_path / "study.yaml").write_text(block, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    spec = load_spec(tmp_path / "study.yaml")
    assert set(yaml.safe_load(block)) == {entry.name for entry in fields(StudySpec)}
    named = {model.name for model in spec.expanded("embedded")}
    assert {"baseline", "dlfa-k4", "dlfa-k8", "two-k4+8", "alone-k0", "alone-k11", "dlfa-k4+trees"} <= named
    assert {line.split()[2] for line in re.findall(r"`(dlfa study \w+) FILE`", text)} == set(COMMANDS)


def test_what_ci_runs_is_printed():
    """`.ci/run` takes its commands from the pages, by these patterns."""
    taken = re.findall(r"grep -h '(.*)' README\.md docs/\*\.md", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    lines = [line for text in PAGES.values() for line in text.splitlines()]
    assert len(taken) == 4
    for pattern in taken:
        assert {line for line in lines if re.search(pattern, line)}, pattern


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in STUDIES if committed(path).exists()], ids=lambda path: path.stem)
def test_committed_reports_are_those_of_the_committed_records(path: Path, tmp_path: Path):
    """Pages and tables; pictures depend on the version of matplotlib, last digits of numbers on the processor."""
    spec = load_spec(path, committed(path))
    write_report(spec, load_records(spec.records, spec.cells), tmp_path)
    made = [file.name for file in tmp_path.iterdir() if file.suffix in (".md", ".csv")]
    assert len(made) >= 5
    for file in made:
        now, then = ((folder / file).read_text("utf-8") for folder in (tmp_path, committed(path) / "report"))
        same = _same_tables if file.endswith(".csv") else str.__eq__
        assert same(now, then), file


def _same_tables(one: str, other: str) -> bool:
    """Whether two CSV files differ in the last digits of numbers at most."""
    rows = [list(csv.reader(io.StringIO(table))) for table in (one, other)]
    if [len(row) for row in rows[0]] != [len(row) for row in rows[1]]:
        return False
    return all(_same_cells(a, b) for row, then in zip(*rows, strict=True) for a, b in zip(row, then, strict=True))


def _same_cells(one: str, other: str) -> bool:
    with suppress(ValueError):
        return one == other or math.isclose(float(one), float(other), rel_tol=1e-5, abs_tol=1e-6)
    return False


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("x,1.5\n", True),
        ("x,1.50001\n", True),
        ("x,1.51\n", False),
        ("y,1.5\n", False),
        ("x\n", False),
        ("x,1.5\nx,1.5\n", False),
    ],
)
def test_tables_are_compared(other: str, same: bool):
    assert _same_tables("x,1.5\n", other) == same
