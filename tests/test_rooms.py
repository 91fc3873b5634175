"""The house: imports point one way, nobody outside asks which kind a task is of, modules stay short."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parents[1] / "modeling_dlfa"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# From the ground up. A room imports from itself and from those before it.
ROOMS = (
    ("errors", "files", "cli", "privacy", "markup", "machine", "batching", "_lazy", "wording", "pages", "drawing"),
    ("configuration_dlfa", "modeling_dlfa"),
    ("known_states", "states", "cache", "encoders", "vectors", "_e5_wheel"),
    ("tasks",),
    ("data",),
    ("training",),
    ("analysis", "predict", "publishing"),
    ("demo",),
    ("study",),
    ("__init__", "__main__", "_auto"),
)
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) of every import from the package, those inside functions too."""
    parents = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = parents[: len(parents) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                there = (*base, *name.split("."))[0]
                yield node.lineno, there if there in FLOOR else "__init__"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("modeling_dlfa."):
            yield node.lineno, (node.module or "").split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_never_run_up(path: Path):
    assert room(path) in FLOOR, "a new room: give it a floor"
    for line, there in imported(path):
        assert FLOOR[there] <= FLOOR[room(path)], f"{path}:{line} imports from {there}"


def test_the_page_names_the_rooms():
    """docs/extending.md, from the ground up."""
    text = (PACKAGE.parent / "docs" / "extending.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"^Imports point one way, .*? holds them to it: (.*?)\.$", text, re.MULTILINE | re.DOTALL)
    assert tuple(tuple(re.findall(r"`(\w+)`", floor)) for floor in named.split("←")) == ROOMS


KINDS = re.compile(r"""["'](pairs|tags|trees|classification|tagging|parsing)["']""")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nobody_asks_which_kind(path: Path):
    """No comparison with a kind's name, and none of `kind.name`, outside the room of the kinds."""
    if path.is_relative_to(PACKAGE / "tasks" / "kinds"):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Compare, ast.MatchValue)):
            text = ast.unparse(node)
            assert not KINDS.search(text) and "kind.name" not in text, f"{path}:{node.lineno}: {text}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_are_short(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400 or path.name == "modeling_dlfa.py", f"{path}: {lines} lines"


def test_no_file_of_the_tests_hides_a_library():
    """Scripts in `tests/` are run with that folder first on the import path (`.ci/floor`)."""
    names = {path.stem for path in Path(__file__).parent.iterdir()}
    assert not names & packages_distributions().keys()
