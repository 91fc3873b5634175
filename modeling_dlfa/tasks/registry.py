"""The one way to a task: `get_task(what)` of a built-in name, a YAML file, or an object in a module."""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import InputError, one_line
from ..files import expanded
from .kinds import KINDS
from .ladder import CONTROLS, LADDER
from .stilts import INTERMEDIATE_TASKS, OTHER_TASKS
from .task import Task, task_of_definition
from .task_file import read_task_file
from .xtreme import XTREME_TASKS as OF_XTREME


TASKS: dict[str, Task] = {
    task.name: task for task in (*OF_XTREME, *LADDER, *CONTROLS, *INTERMEDIATE_TASKS, *OTHER_TASKS)
}
"""The built-in tasks by name."""

XTREME_TASKS: tuple[str, ...] = tuple(task.name for task in OF_XTREME)
"""Names of XTREME's tasks that are built in; the others are the ladder of parsing tasks, from easy to hard, its
control, and those of `stilts`."""

TASK_FILE_SUFFIXES = (".yaml", ".yml")


def get_task(what: str | Task) -> Task:
    """A task.

    Args:
        what: a built-in name ("xnli"), a YAML file ("hotel.yaml", see `task_file`), an object in a module that can be
            imported, or is in the current directory ("package.module:TASK"), or a task itself. Whatever the module
            registers (a kind, a fusion, an objective) is known from then on.

    Raises:
        InputError: there is none, or it cannot be read.

    Examples:
        >>> from modeling_dlfa import get_task
        >>> get_task("xnli").labels
        ('entailment', 'neutral', 'contradiction')
    """
    if isinstance(what, Task):
        return what
    if what in TASKS:
        return TASKS[what]
    if what.endswith(TASK_FILE_SUFFIXES):
        return read_task_file(Path(expanded(what)), reserved=TASKS)
    if ":" in what:
        return _imported(what)
    if not what.replace("-", "").isalnum():
        raise InputError(f"unknown task {what!r}: expected a .yaml file, package.module:TASK, or a built-in name")
    raise InputError(f"unknown task {what!r}: expected one of {', '.join(TASKS)}")


def _imported(what: str) -> Task:
    module_name, _, name = what.partition(":")
    try:
        found = getattr(_module(module_name), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"task {what!r}: expected package.module:TASK that can be imported: {one_line(error)}") from (
            error
        )
    if not isinstance(found, Task):
        raise InputError(f"task {what!r}: expected a Task, found {type(found).__name__}")
    return replace(found, reference=what)


def _module(name: str) -> ModuleType:
    """A module, from the current directory where it cannot be imported otherwise.

    `python -m` and notebooks look there anyway; scripts such as `dlfa` look beside themselves. The directory goes to
    the end of the path, so that its files hide no library, and stays, for what the module imports later.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if error.name != name.partition(".")[0] or here in sys.path or "" in sys.path:
            raise
        sys.path.append(here)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as again:
            if again.name == error.name:
                sys.path.remove(here)
            raise


def saved_task(name: str, definition: Mapping[str, Any] | None) -> Task:
    """The task of some results: as it is defined there, else the built-in one of that name.

    Raises:
        InputError: there is no such task, or its kind is not known here.
    """
    if definition is None:
        return get_task(name)
    if definition.get("name") != name:
        raise InputError(f"no task {name!r}: what is defined is {definition.get('name')!r}")
    if name in TASKS:
        return TASKS[name]
    if definition.get("kind") not in KINDS and ":" in (reference := definition.get("reference") or ""):
        return _imported(reference)  # the kind is that module's own
    return task_of_definition(definition)
