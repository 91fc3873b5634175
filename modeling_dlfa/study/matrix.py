"""What a study of several target tasks says of its intermediate tasks: the gain of each pair, as X-STILTs shows it."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from ..pages import Table
from ..wording import signed
from .intermediate import Condition
from .sections import Section
from .tables import Row


Pairs = Mapping[tuple[str, str], Sequence[tuple[Section, Sequence[Condition]]]]


def by_model(sections: Sequence[Section], found: Mapping[str, Sequence[Condition]]) -> Pairs:
    """(encoder, model) -> its sections of conditions, one for each target task, where there are several.

    Args:
        found: name of a section -> its conditions with runs.
    """
    pairs: dict[tuple[str, str], list[tuple[Section, Sequence[Condition]]]] = {}
    for section in sections:
        if found.get(section.name):
            pairs.setdefault((section.encoder, section.reference), []).append((section, found[section.name]))
    return {key: own for key, own in pairs.items() if len(own) > 1}


def gain(section: Section, condition: Condition) -> float:
    """Difference of the zero-shot average to the model without intermediate tasks, in points; nan without one."""
    comparison = section.comparisons.get(condition.model)
    return math.nan if comparison is None else comparison.difference


def matrix_rows(pairs: Pairs) -> list[Row]:
    """One row for every model and condition: the gain on each target task, and their mean.

    All rows have the same columns: a task that a model was not scored on yet is nan. The gain of a task before itself
    stands there and is no part of the mean.
    """
    tasks = dict.fromkeys((section.task for own in pairs.values() for section, _ in own), math.nan)
    rows = []
    for (encoder, model), own in pairs.items():
        for name, control in _conditions(own).items():
            there = _of(own, name)
            gains = tasks | {section.task: gain(section, one) for section, one in there}
            itself = {section.task for section, one in there if one.itself}
            counted = [value for task, value in gains.items() if not math.isnan(value) and task not in itself]
            rows.append(
                {
                    "encoder": encoder,
                    "model": model,
                    "condition": name,
                    "control": control,
                    **gains,
                    "tasks": len(counted),
                    "average": fmean(counted) if counted else math.nan,
                }
            )
    return rows


def _conditions(own: Sequence[tuple[Section, Sequence[Condition]]]) -> dict[str, bool]:
    """Names of conditions -> whether they are controls before any task."""
    names = dict.fromkeys(one.name for _, conditions in own for one in conditions)
    return {name: any(one.without_labels for _, one in _of(own, name)) for name in names}


def _of(own: Sequence[tuple[Section, Sequence[Condition]]], name: str) -> list[tuple[Section, Condition]]:
    """The sections that have a condition, with it."""
    return [(section, one) for section, conditions in own for one in conditions if one.name == name]


def matrix_tables(pairs: Pairs) -> list[Table]:
    """The same for people, a table for each encoder and model, with the best intermediate task of each target task."""
    tables = []
    for (encoder, model), own in pairs.items():
        rows = matrix_rows({(encoder, model): own})
        tasks = [section.task for section, _ in own]
        controls = {(section.task, one.name) for section, found in own for one in found if one.control}
        cells = [
            [
                row["condition"] + (" (control)" if row["control"] else ""),
                *(_gain_text(row[task], (task, row["condition"]) in controls) for task in tasks),
                _gain_text(row["average"], row["control"]),
            ]
            for row in rows
        ]
        best = ["best", *(_best(section, conditions) for section, conditions in own), _best_of(rows, len(tasks))]
        note = (
            f"Gain in points of the zero-shot average over {model} alone, {encoder}; the mean is over the target "
            "tasks that have one, the best mean over all of them. Controls stand in brackets; a task before itself, "
            "which is one too, counts in no mean. The best ones are found on test data and leave controls out: "
            "oracles, no results."
        )
        header = ["intermediate", *tasks, "average"]
        tables.append(Table(f"matrix_{encoder}_{model}", f"{model}, {encoder}", header, [*cells, best], [note]))
    return tables


def _gain_text(value: float, control: bool) -> str:
    return f"({signed(value)})" if control and not math.isnan(value) else signed(value)


def _best(section: Section, conditions: Sequence[Condition]) -> str:
    return _highest({one.name: gain(section, one) for one in conditions if not one.control})


def _best_of(rows: Sequence[Row], tasks: int) -> str:
    """Of the conditions that have all targets: means over different ones do not compare."""
    whole = (row for row in rows if row["tasks"] == tasks and not row["control"])
    return _highest({row["condition"]: row["average"] for row in whole})


def _highest(gains: Mapping[str, float]) -> str:
    there = {name: value for name, value in gains.items() if not math.isnan(value)}
    return max(there, key=lambda name: there[name]) if there else ""
