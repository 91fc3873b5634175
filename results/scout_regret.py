"""How good and how dear is `--fusion_layer auto`? `python results/scout_regret.py examples/studies/layers.yaml`.

For every task and seed of a study that has run, the layer is scouted with the arguments of the study's own runs, by
every method. What came out is kept as `scout/<task>-<method>-seed<k>.json` beside this file and is not made again, so
the script can be stopped and started at will. `scout/table.md` compares the choices with the study's full grid:

    cost     CPU seconds of scouting, reading the data and scoring included, over those of training one baseline
    regret   zero-shot points (mean over the grid's seeds) that the best layer on test data has more than the chosen
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import transformers
from scipy.stats import spearmanr

from modeling_dlfa.files import write_text
from modeling_dlfa.pages import Table
from modeling_dlfa.study.spec import BASELINE, Cell, StudySpec, load_spec
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.scout import METHODS, best_layer, scout, training_language_data
from modeling_dlfa.training.trainer import quiet_trainer


FOLDER = Path(__file__).resolve().parent / "scout"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="its YAML file; layers of a single fusion, one encoder")
    parser.add_argument("--cells", type=Path, help="the study's results files; default: cells/ in its output folder")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS), help="none: only the table")
    parser.add_argument("--tasks", nargs="+", help="default: those of the study")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    spec = load_spec(args.study)
    for seed in args.seeds:
        for task in args.tasks or spec.tasks:
            cell = next(cell for cell in layer_cells(spec, task) if cell.seed == seed)
            if args.methods:
                measure(FOLDER / f"{task}-{BASELINE}.json", cell, BASELINE)
            for method in args.methods:
                measure(FOLDER / f"{task}-{method}-seed{seed}.json", cell, method)
    text = table(spec, args.cells or spec.output_dir / "cells")
    write_text(FOLDER / "table.md", text)
    print(text)


def layer_of(cell: Cell) -> int:
    return cell.model.arguments["fusion_layer"]


def layer_cells(spec: StudySpec, task: str) -> list[Cell]:
    return [cell for cell in spec.cells if cell.task == task and isinstance(cell.model.fusion_layer, int)]


def measure(file: Path, cell: Cell, method: str) -> None:
    """Scout, or train a baseline for comparison, and note the CPU time: others may use the machine meanwhile."""
    if file.exists():
        return
    arguments, training_arguments = cell.run_arguments("runs/scout")
    training_arguments.disable_tqdm = True
    found: dict[str, Any] = {"seed": cell.seed}
    if method == BASELINE:
        data = training_language_data(arguments)
        model = build_model(replace(arguments, fusion="none"), data.task)
        trainer = quiet_trainer(model, arguments, training_arguments, data, data.task.kind.keep)
        start = time.process_time()
        trainer.train()
    else:
        start = time.process_time()
        found |= scout(arguments, training_arguments, method).as_dict()
    found["cpu_seconds"] = round(time.process_time() - start, 1)
    file.parent.mkdir(exist_ok=True)
    write_text(file, json.dumps(found, indent=2) + "\n")
    print(file.name, found, flush=True)


@dataclass(frozen=True)
class Choice:
    """A layer chosen for one task and seed: by whom, which, at what cost and regret, and how its ranking agrees."""

    task: str
    by: str
    seed: int
    layer: int
    cost: float
    regret: float
    dev_rho: float
    test_rho: float


def choices(spec: StudySpec, task: str, cells: Path) -> list[Choice]:
    """What the full grid and every method chose, as far as grid and scouting have come."""
    found = [(cell, results) for cell in layer_cells(spec, task) if (results := result_of(cells, cell))]
    layers = sorted({layer_of(cell) for cell in layer_cells(spec, task)})
    # A seed with some of the layers only would move the means of those.
    whole = [seed for seed in spec.seeds if sum(cell.seed == seed for cell, _ in found) == len(layers)]
    grid = [(cell, results) for cell, results in found if cell.seed in whole]
    made = []
    for seed in whole:
        dev = {layer_of(cell): results.on_development for cell, results in grid if cell.seed == seed}
        test = test_scores(grid, layers)
        for by, scores, layer, cost in [grid_choice(dev), *scouted(task, seed, layers)]:
            regret = max(test.values()) - test[layer]
            dev_rho, test_rho = (rank_correlation(scores, other) for other in (dev, test))
            made.append(Choice(task, by, seed, layer, cost, regret, dev_rho, test_rho))
    return made


def grid_choice(dev: dict[int, float]) -> tuple[str, dict[int, float], int, float]:
    return "full grid", dev, max(dev, key=dev.__getitem__), len(dev)


def scouted(task: str, seed: int, layers: Sequence[int]) -> Iterator[tuple[str, dict[int, float], int, float]]:
    """Every method with its scores (higher is better), its choice among the layers of the grid, and its cost."""
    for method in METHODS:
        file = FOLDER / f"{task}-{method}-seed{seed}.json"
        if file.exists():
            found = json.loads(file.read_text("utf-8"))
            scores, losses = ({k: found[name][str(k)] for k in layers} for name in ("scores", "losses"))
            baseline = json.loads((FOLDER / f"{task}-{BASELINE}.json").read_text("utf-8"))
            cost = found["cpu_seconds"] / baseline["cpu_seconds"]
            yield method, scores, best_layer(scores, losses), cost
            yield f"{method}, by loss", {k: -losses[k] for k in layers}, min(losses, key=losses.__getitem__), cost


def rank_correlation(one: dict[int, float], other: dict[int, float]) -> float:
    """Spearman's, over the layers."""
    return spearmanr(list(one.values()), [other[k] for k in one]).statistic  # pyright: ignore


def test_scores(grid: Sequence[tuple[Cell, RunResults]], layers: Sequence[int]) -> dict[int, float]:
    """layer -> zero-shot average, mean over seeds."""
    return {
        k: fmean(r.zero_shot_average for c, r in grid if layer_of(c) == k)  # pyright: ignore
        for k in layers
    }


def table(spec: StudySpec, cells: Path) -> str:
    """The comparison in Markdown: every choice, and means by method."""
    made = [choice for task in spec.tasks for choice in choices(spec, task, cells)]
    rows = [
        [
            c.task,
            c.by,
            f"{c.seed}",
            f"{c.layer}",
            f"{c.cost:.2f}",
            f"{c.regret:.2f}",
            f"{c.dev_rho:.2f}",
            f"{c.test_rho:.2f}",
        ]
        for c in made
    ]
    header = ["task", "chosen by", "seed", "layer", "cost", "regret", "ρ grid dev", "ρ grid test"]
    means = []
    for by in dict.fromkeys(c.by for c in made):
        own = [c for c in made if c.by == by]
        regrets = [c.regret for c in own]
        values = [fmean(c.cost for c in own), fmean(regrets), max(regrets), fmean(c.test_rho for c in own)]
        means.append([by, f"{len(own)}", *(f"{value:.2f}" for value in values)])
    summary = ["chosen by", "choices", "cost", "regret", "worst regret", "ρ grid test"]
    return "\n\n".join(Table("", "", *part).markdown() for part in ((summary, means), (header, rows))) + "\n"


def result_of(cells: Path, cell: Cell) -> RunResults | None:
    """The cell's results: a file of the study's records, or the folder of a run."""
    for path in (cells / f"{cell.name}.json", cells / cell.name / "all_results.json"):
        if path.exists():
            return RunResults.load(path)
    return None


if __name__ == "__main__":
    main()
