"""All layers of a study ranked without running its grid: `training.scout` for every task, encoder, model and seed."""

import json
from collections.abc import Callable
from statistics import fmean
from typing import Any

from rich.markup import escape
from rich.table import Table

from ..files import write_text
from ..training.arguments import reads_layer
from ..training.noted import notes, read_noted
from ..training.scout import scout
from .spec import Cell, StudySpec


def scouted_cells(spec: StudySpec) -> list[Cell]:
    """One cell of every place, group of models and seed: they differ in the layer only."""
    cells: dict[tuple, Cell] = {}
    for cell in spec.cells:
        if reads_layer(cell.model.fusion):
            cells.setdefault((*cell.place, cell.model.group, cell.seed), cell)
    return list(cells.values())


def scout_study(spec: StudySpec, report: Callable[[str], None] = print) -> list[tuple[Cell, dict[str, Any]]]:
    """Scout for all cells; what is found is kept in the study's folder and not looked for again.

    Args:
        report: gets a line for every scouting.

    Returns:
        cells with what `training.scout.Scouting.as_dict` gives.

    Raises:
        InputError: as `training.scout.scout`.
    """
    found = []
    for cell in scouted_cells(spec):
        name = "/".join([*cell.place, f"{cell.model.group}-seed{cell.seed}"])
        path = spec.output_dir / "scout" / f"{name}.json"
        asked = {name: value for name, value in cell.settings.items() if name != "fusion_layer"}
        values = read_noted(path, asked, cell.used)
        if values is None:
            arguments, training_arguments = cell.run_arguments(spec.output_dir / "unfinished" / "scout")
            training_arguments.disable_tqdm = True
            values = {**scout(arguments, training_arguments).as_dict(), **notes(asked, cell.used)}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(values, indent=1) + "\n")
        report(f"{name}: layer {values['layer']}")
        found.append((cell, values))
    return found


def scout_table(found: list[tuple[Cell, dict[str, Any]]]) -> Table:
    """Mean development score over seeds by layer, the best in bold."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for cell, values in found:
        where = cell.encoder if cell.source is None else f"{cell.encoder}, {cell.source}"
        groups.setdefault((cell.task, where, cell.model.group), []).append(values["scores"])
    layers = sorted({int(layer) for scores in groups.values() for one in scores for layer in one})
    table = Table(title="development score by fusion layer, in percent", title_justify="left")
    for header in ("task", "encoder", "model"):
        table.add_column(header)
    for layer in layers:
        table.add_column(str(layer), justify="right")
    for names, scores in groups.items():
        means = {layer: fmean(one[str(layer)] for one in scores) for layer in layers if str(layer) in scores[0]}
        best = max(means, key=means.__getitem__)
        cells = [f"{means[layer]:.1f}" if layer in means else "" for layer in layers]
        shown = (f"[bold]{text}[/bold]" if layer == best else text for layer, text in zip(layers, cells))
        table.add_row(*map(escape, names), *shown)
    return table
