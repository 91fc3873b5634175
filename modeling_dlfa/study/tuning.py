"""The same small grid of arguments tried for every model of a study, on development data of the training language.

A baseline that was not tuned is no baseline. What is found is kept in the study's folder, and is what its cells are
run with. Other languages have no say: their data are fingerprinted with those of the run, and not scored.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import InputError
from ..files import write_text
from ..training.arguments import AUTO_LAYER
from ..training.data import RunData
from ..training.derived import data_key
from ..training.noted import digest, notes, read_noted
from ..training.scout import training_language_data
from ..training.trial import development_score
from .cells import Cell, merged
from .spec import TUNED_FILE, StudySpec


@dataclass(frozen=True)
class Point:
    """One choice from the grid, for one model.

    Attributes:
        group: which model, as the names in `StudySpec.tuned`.
        chosen: the arguments of this point.
        cell: with them.
        path: where its score is kept.
    """

    group: str
    chosen: Mapping[str, Any]
    cell: Cell
    path: Path

    @property
    def score(self) -> float | None:
        """The score that is kept; None where there is none, or one of other settings or data."""
        values = read_noted(self.path, self.cell.settings, self.cell.used)
        return None if values is None else values["score"]


def points(spec: StudySpec) -> list[Point]:
    """The grid for every task, encoder and group of models, with the study's first seed and language of training.

    Of a group over several layers it is tried at the middle one.
    """
    plain = replace(spec, tune={})
    cells: dict[str, list[Cell]] = {}
    for cell in plain.cells:
        first = cell.seed == spec.seeds[0] and cell.source in (None, *spec.train_languages[:1])
        if first and cell.model.condition is None:
            cells.setdefault(spec.tuned_name(cell.task, cell.encoder, cell.model.group), []).append(cell)
    found = []
    for group, of_group in cells.items():
        cell = sorted(of_group, key=lambda one: one.model.layers)[len(of_group) // 2]
        for chosen in _grid(spec.tune):
            there = replace(cell, arguments=merged(cell.arguments, chosen))
            path = spec.output_dir / "tuning" / group / f"{digest(chosen)}.json"
            found.append(Point(group, chosen, there, path))
    return found


def _grid(tune: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*tune.values()):
        yield dict(zip(tune, values, strict=True))


def tuned_study(spec: StudySpec, report: Callable[[str], None] = print) -> StudySpec:
    """Try what has not been tried, note the best of every model, and return the study with that.

    Of several that are equally good the first of the grid is taken; how many there are is noted, for the report.

    Several workers may do so at once: each point is tried by one of them.

    Args:
        report: gets a line for every point.

    Raises:
        InputError: arguments that a run cannot have, or as `training.trial.development_score`.
    """
    grid = points(spec)
    for point in grid:
        with _named(point):
            point.cell.check()
            _check_alone(point.cell)
    data: dict[str, RunData] = {}
    for waits in (False, True):  # first what no other worker is trying
        for point in grid:
            _try(point, spec, data, report, waits)
    best: dict[str, dict[str, Any]] = {}
    for point in grid:
        known, score = best.get(point.group), point.score
        if score is not None and (known is None or score > known["score"]):
            best[point.group] = {"arguments": dict(point.chosen), "score": score, "equal": 1}
        elif known is not None and score == known["score"]:
            known["equal"] += 1
    write_text(spec.output_dir / TUNED_FILE, json.dumps({"tune": spec.tune, "best": best}, indent=1) + "\n")
    return replace(spec)  # it reads the file anew


def _check_alone(cell: Cell) -> None:
    """Refuse what is more than one training: it would be tuned for another one than it gets."""
    if cell.stages():
        raise InputError("intermediate tasks are not run to tune: give them under conditions")
    if cell.model.fusion_layer == AUTO_LAYER:
        raise InputError(f"fusion_layer {AUTO_LAYER}: a layer is not looked for to tune: give layers")


def _try(point: Point, spec: StudySpec, data: dict[str, RunData], report: Callable[[str], None], waits: bool) -> None:
    """Try a point unless that is done; `data` is shared between those that read the same."""
    if point.score is not None:
        return
    point.path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(point.path.with_suffix(".lock"))
    try:
        with lock.acquire(timeout=-1 if waits else 0), _named(point):
            if point.score is not None:
                return
            arguments, training_arguments = point.cell.run_arguments(spec.output_dir / "unfinished" / "tuning")
            training_arguments.disable_tqdm = True
            arguments = spec.keeping_states(point.cell, arguments)
            key = data_key(arguments)
            if key not in data:
                data[key] = training_language_data(arguments)
            score = development_score(arguments, training_arguments, data[key])
            values = {"score": score, "chosen": point.chosen, **notes(point.cell.settings, point.cell.used)}
            write_text(point.path, json.dumps(values, indent=1) + "\n")
            told = ", ".join(f"{name} {value}" for name, value in point.chosen.items())
            report(f"tuning {point.group}: {told}: {score:.1f}")
    except Timeout:
        return


@contextmanager
def _named(point: Point) -> Iterator[None]:
    """Errors say at which point they came up."""
    try:
        yield
    except InputError as error:
        raise InputError(f"tuning {point.group} with {dict(point.chosen)}: {error}") from error
