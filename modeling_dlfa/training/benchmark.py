"""XTREME as a whole: the nine tasks side by side, their groups, and published scores beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.markup import escape
from rich.table import Table

from ..files import table_text, write_text
from .results import RunResults, short_name


GROUPS = {
    "classification": ("xnli", "pawsx"),
    "structured": ("panx", "udpos"),
    "answers": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("bucc2018", "tatoeba"),
}
"""XTREME's groups of tasks (Hu et al. 2020)."""

PUBLISHED: dict[str, dict[str, float]] = {
    "mBERT": {"xnli": 65.4, "pawsx": 81.9, "panx": 62.2, "udpos": 70.3},
    "XLM-R Large": {
        **{"xnli": 79.2, "pawsx": 86.4, "panx": 65.4, "udpos": 72.6},
        **{"xquad": 68.7, "mlqa": 62.4, "tydiqa": 55.1, "bucc2018": 66.0, "tatoeba": 57.3},
    },
    "X-STILTs": {"xnli": 80.0, "pawsx": 87.9, "panx": 64.0, "udpos": 74.9},
}
"""Zero-shot averages over all languages as published: mBERT and XLM-R Large by XTREME's paper, X-STILTs (Phang et al.
2020, arXiv 2005.13013: XLM-R Large after the best intermediate task) as RemBERT's paper (arXiv 2010.12821) quotes it.
Of questions the mean of exact match and F1."""


def scores_of(finished: Mapping[str, Sequence[RunResults]], place: int) -> dict[str, float]:
    """Column -> score of the models at a place of each task: tasks, averages of groups, and "all" where all are there.

    A task's score is the mean over its languages, English included, as XTREME averages. A task with fewer models has
    its last one in their place.
    """
    own = {task: runs[min(place, len(runs) - 1)].average for task, runs in finished.items()}
    return with_averages({task: value for task, value in own.items() if value is not None})


def with_averages(of_tasks: Mapping[str, float]) -> dict[str, float]:
    """The scores of tasks, with the average of every group, and of all tasks, that is whole."""
    found = dict(of_tasks)
    for group, tasks in GROUPS.items():
        if all(task in of_tasks for task in tasks):
            found[group] = fmean(of_tasks[task] for task in tasks)
    if all(group in found for group in GROUPS):
        found["all"] = fmean(of_tasks[task] for tasks in GROUPS.values() for task in tasks)
    return found


def columns() -> list[str]:
    """Tasks, each group followed by its average, then all."""
    return [*(name for group, tasks in GROUPS.items() for name in (*tasks, group)), "all"]


def benchmark_rows(finished: Mapping[str, Sequence[RunResults]]) -> dict[str, dict[str, float]]:
    """Model -> column -> score, for the results of a command by task.

    Tasks that train nothing have a model of their own at the same place: the last layer beside the baseline, else a
    lower one. The name of a row is that of the models that are trained.
    """
    trained = next((runs for runs in finished.values() if runs[0].of_task.kind.trains), next(iter(finished.values())))
    return {run.model_name: scores_of(finished, place) for place, run in enumerate(trained)}


def benchmark_table(finished: Mapping[str, Sequence[RunResults]]) -> Table:
    """The table of a command's tasks; published scores stand beside where its data could be those of the benchmark."""
    first = next(iter(finished.values()))[0]
    models = {escape(model): scores for model, scores in benchmark_rows(finished).items()}
    caption = "mean over languages, in percent"
    if first.data != "sample":
        models |= {f"{model} (published)": with_averages(scores) for model, scores in PUBLISHED.items()}
        caption += "; published: whole training and test sets, all languages"
    title = f"XTREME · {escape(short_name(first.encoder))}"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("")
    for model in models:
        table.add_column(model, justify="right", style="dim" if model.endswith("(published)") else None)
    for name in columns():
        average = name in GROUPS or name == "all"
        cells = [f"{scores[name]:.1f}" if name in scores else "" for scores in models.values()]
        table.add_row(name, *cells, style="bold" if average else None, end_section=average)
    return table


def write_benchmark(finished: Mapping[str, Sequence[RunResults]], path: Path) -> None:
    """The rows as a CSV file."""
    rows = [
        {"model": model, **{name: f"{value:.2f}" for name, value in scores.items()}}
        for model, scores in benchmark_rows(finished).items()
    ]
    write_text(path, table_text(["model", *columns()], rows))
