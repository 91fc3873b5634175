"""What pages are made of: the reference of entries, examples in docstrings, the drawing, the site."""

import doctest
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import modeling_dlfa
from modeling_dlfa.configuration_dlfa import FUSION_READS
from modeling_dlfa.modeling_dlfa import FUSIONS
from modeling_dlfa.study.spec import StudySpec, load_spec
from modeling_dlfa.tasks.kinds import KINDS
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import HubDataset, Recipe
from modeling_dlfa.tasks.task_file import ENTRIES
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.help import OF_THE_TRAINER
from modeling_dlfa.training.objectives import OBJECTIVES
from modeling_dlfa.training.trainer_arguments import TRAINER
from tests.conftest import write_tiny_encoder
from tests.scripts import script


ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
RUN, TASK, STUDY = re.findall(r"```yaml\n(.*?)```", CONFIGURATION, re.DOTALL)


def test_the_reference_is_what_the_declarations_say():
    """Where this fails: python docs/site/configuration.py."""
    assert script("docs/site/configuration.py").page() == CONFIGURATION


def commented(text: str) -> set[str]:
    """The entries of a file that have a comment before them."""
    return set(re.findall(r"^ *#[^\n]*\n *(\w+):", text, re.MULTILINE))


def test_every_argument_is_there(tmp_path: Path):
    entries = yaml.safe_load(RUN)
    assert entries.keys() == {one.name for one in fields(RunArguments)} | OF_THE_TRAINER.keys() == commented(RUN)
    assert all(f"`{name}`" in CONFIGURATION for name in TRAINER.keys() - entries.keys())
    (tmp_path / "run.yaml").write_text(RUN, encoding="utf-8")  # as it stands it is a run
    assert CommandLine([str(tmp_path / "run.yaml")]).tasks == ["udpos"]


def test_every_entry_of_a_task_is_there(tmp_path: Path):
    entries = yaml.safe_load(TASK)
    assert entries.keys() == set(ENTRIES) and commented(TASK) >= entries.keys()
    assert entries["recipe"].keys() == {one.name for one in fields(Recipe)}
    assert entries["hub"].keys() == {one.name for one in fields(HubDataset)}
    for name in ("train.csv", "dev.csv", "test-de.csv"):
        (tmp_path / name).write_text("text,stars\nFine.,positive\n", encoding="utf-8")
    given = {name: value for name, value in entries.items() if value is not None and name != "hub"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    task = get_task(str(tmp_path / "mine.yaml"))
    assert task.recipe == Recipe() and task.labels == ("negative", "positive")


def test_every_entry_of_a_study_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert yaml.safe_load(STUDY).keys() == {one.name for one in fields(StudySpec)} == commented(STUDY)
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    assert len(load_spec(tmp_path / "study.yaml").cells) == 2 * 4 * 2 * 3  # tasks, models, conditions, seeds


def test_every_name_is_on_the_page_of_python():
    named = re.findall(r"^::: (modeling_dlfa\.[\w.]+)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(name.rpartition(".")[2] for name in named) == sorted(modeling_dlfa.__all__)
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is getattr(modeling_dlfa, attribute)


# ---------------------------------------------------------------------------------------------------------------------
# Examples in docstrings
# ---------------------------------------------------------------------------------------------------------------------

# Models show what is in what they return. Those that use what a run has left come after it.
EXAMPLES = [name for name in modeling_dlfa.__all__ if not name.endswith("Output")]
TRAINING = ("run", "predict")
INSTEAD = {"FacebookAI/xlm-roberta-base": "tiny-encoder", "**alike)": "max_steps=2, **alike)"}  # no Hub, no minutes


@pytest.fixture(scope="module")
def example_folder(xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples run: data, a run's results, and an encoder of twelve layers."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "download").symlink_to(xtreme_folder)
    (folder / "runs" / "udpos").mkdir(parents=True)
    shutil.copy(ROOT / "results" / "sample" / "aif.json", folder / "runs" / "udpos" / "all_results.json")
    write_tiny_encoder(folder / "tiny-encoder", dropout=0.0, positions=128, layers=12)
    return folder


@pytest.fixture
def registries() -> Iterator[None]:
    """What examples register is forgotten."""
    known: list[dict[str, Any]] = [FUSIONS, FUSION_READS, KINDS, OBJECTIVES]
    before = [dict(one) for one in known]
    yield
    for one, was in zip(known, before):
        one.clear()
        one.update(was)


def run_examples(names: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    for name in names:
        text = inspect.getdoc(getattr(modeling_dlfa, name)) or ""
        for shown, here in INSTEAD.items():
            text = text.replace(shown, here)
        test = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
        assert test.examples, f"{name} has no example"
        assert not any(doctest.SKIP in one.options for one in test.examples), name
        told: list[str] = []
        found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
        assert not found.failed, "".join(told)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in TRAINING])
def test_an_example(name: str, example_folder: Path, registries: None, monkeypatch: pytest.MonkeyPatch):
    run_examples((name,), example_folder, monkeypatch)


@pytest.mark.slow
def test_examples_that_train(example_folder: Path, monkeypatch: pytest.MonkeyPatch):
    run_examples(TRAINING, example_folder, monkeypatch)


# ---------------------------------------------------------------------------------------------------------------------
# The page on encoders
# ---------------------------------------------------------------------------------------------------------------------


def test_sizes_of_encoders_are_those_of_their_configurations():
    """And the study on the page compares encoders of the table."""
    encoders = script("results/encoders.py")
    assert encoders.shapes() == json.loads((ROOT / "results" / "encoders" / "shapes.json").read_text("utf-8"))
    study = load_spec(ROOT / "examples" / "studies" / "encoders.yaml")
    assert set(study.encoders) <= encoders.ENCODERS.keys()


@pytest.mark.parametrize(
    ("form", "split"), [("wordpiece", True), ("metaspace", True), ("byte_level", False), ("gemma", False)]
)
def test_words_have_the_pieces_of_running_text(form: str, split: bool):
    encoders = script("results/encoders.py")
    sentences = [["the", "dogs", "run"], ["the", "cats", "run", "home"], ["dogs", "and", "cats"]] * 5
    tokenizer = encoders.tokenizer_of(form, [" ".join(words) for words in sentences])
    ours = encoders.WordPieces(tokenizer, sentences, 64, "character")
    for number, words in enumerate(sentences):
        running = encoders.in_running_text(tokenizer, words)
        assert [pieces for pieces, _ in ours.words(number)] == running
        assert (encoders.one_by_one(tokenizer, words)[1:] == running[1:]) == split


# ---------------------------------------------------------------------------------------------------------------------
# The drawing, the site, the wheel
# ---------------------------------------------------------------------------------------------------------------------


def test_the_drawing_needs_no_font():
    pytest.importorskip("matplotlib")
    drawn = script("docs/images/method.py").svg()
    assert drawn.startswith(b"<?xml") and b"<text" not in drawn
    assert drawn == script("docs/images/method.py").svg()
    assert b"<text" not in (ROOT / "docs" / "images" / "method.svg").read_bytes()


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path):
    """Offline: nothing in a page is fetched from elsewhere."""
    if any(find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings_handlers")):
        pytest.skip("MkDocs is not installed: extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ROOT / "docs" / "site" / "mkdocs.yml"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run([*command, "-d", tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.glob("*.html")}
    assert pages.keys() >= {"index.html", "tasks.html", "configuration.html", "api.html"}
    for name, text in pages.items():
        tags = re.findall(r"<(?:script|img|link[^>]*stylesheet)[^>]*>", text)
        fetched = [tag for tag in tags if re.search(r"(src|href)=\"?https?:", tag)]
        assert not fetched, name
    assert "fusion_layer" in pages["api.html"] and "&gt;&gt;&gt; " in pages["api.html"]


@pytest.mark.slow
def test_the_wheel_is_whole(tmp_path: Path):
    """All that the package reads beside its modules is in it; it runs where the repository is not."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip(f"setuptools {setuptools.__version__}: the build asks for 77 or newer")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "modeling_dlfa", source / "modeling_dlfa", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path / "wheels", source]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    assert wheel.name == f"modeling_dlfa-{modeling_dlfa.__version__}-py3-none-any.whl"
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "installed", wheel], check=True)
    wanted = {path.relative_to(source) for path in (source / "modeling_dlfa").rglob("*") if path.is_file()}
    installed = {path.relative_to(tmp_path / "installed") for path in (tmp_path / "installed").rglob("*")}
    assert wanted <= installed
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "modeling_dlfa", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"dlfa {modeling_dlfa.__version__}"


def test_one_version_everywhere():
    version = modeling_dlfa.__version__
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
