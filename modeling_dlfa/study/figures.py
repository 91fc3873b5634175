"""The pictures of a study. Functions make a matplotlib `Figure` from plain numbers; `drawing.png` makes the file.

Scores and differences are in percent. Colours are told apart by colour-blind readers (Okabe and Ito's; PuOr).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import COLOURS, DIVERGING, GREY, MARKERS, STYLE, ink, new_figure
from ..tasks.languages import by_family, language_label
from ..wording import mean_std, signed


@dataclass(frozen=True)
class Curve:
    """Scores of one group of models over its fusion layers.

    Attributes:
        label: in the legend.
        scores: fusion layer -> one score per seed.
        chosen: the layer that English development data choose.
        oracle: the layer with the best score on the test data.
    """

    label: str
    scores: Mapping[int, Sequence[float]]
    chosen: int | None = None
    oracle: int | None = None


@dataclass(frozen=True)
class Panel:
    """One set of axes: curves over the fusion layer, and the baseline as a level.

    Attributes:
        title: what is shown.
        ylabel: of the scores.
        baseline: one score per seed; may be empty.
    """

    title: str
    ylabel: str
    curves: Sequence[Curve]
    baseline: Sequence[float] = ()


@dataclass(frozen=True)
class Column:
    """One model of the heat map.

    Attributes:
        name, group: as in `spec.Model`; columns of a group stand together.
        layer: its fusion layer, or "4+8", where the group has several.
        average: difference of the zero-shot average; nan if there is none.
        differences: language -> difference to the baseline.
        doubtful: languages where the model or the baseline is at chance level.
    """

    name: str
    group: str
    layer: int | str | None
    average: float
    differences: Mapping[str, float]
    doubtful: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Interval:
    """One line of the figure of intervals: a model's difference to the baseline, its bounds, and that of each seed."""

    label: str
    difference: float
    low: float
    high: float
    seeds: Sequence[float] = ()


@dataclass(frozen=True)
class Point:
    """One condition in a scatter: how hard it is, and what it brought with its bounds.

    Attributes:
        control: whether it controls for something, and is no rung.
        repeats: whether another point has the same labels.
    """

    label: str
    x: float
    y: float
    low: float
    high: float
    control: bool = False
    repeats: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is a point of its own in what goes with difficulty."""
        return not (self.control or self.repeats)


@dataclass(frozen=True)
class ScatterPanel:
    """One set of axes: points over one measure."""

    xlabel: str
    points: Sequence[Point]


def layer_curves(panels: Sequence[Panel], layers: Sequence[int]) -> Figure:
    """Panels under one another, scores over the fusion layer.

    A line joins the means over seeds, with a band of one standard deviation and a dot for every seed; the baseline is
    a dashed level with its band.

    Args:
        layers: ticks of the x axis, 0 for the embeddings.
    """
    with style.context(STYLE):
        width = min(11.0, max(6.4, 2.5 + 0.4 * (max(layers) - min(layers) + 1)))
        figure = new_figure(width, 0.5 + 2.7 * len(panels))
        all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(all_axes, panels, strict=True):
            _draw_panel(axes, panel)
        all_axes[-1].set_xticks(layers, ["0\nembeddings" if layer == 0 else str(layer) for layer in layers])
        all_axes[-1].set_xlim(min(layers) - 0.5, max(layers) + 0.5)
        all_axes[-1].set_xlabel("fusion layer k")
        marks = {label: handle for axes in all_axes for handle, label in zip(*axes.get_legend_handles_labels())}
        columns = 2 if any(len(label) > 24 for label in marks) else 3
        figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    if panel.baseline:
        mean, deviation = _mean_band(panel.baseline)
        axes.axhspan(mean - deviation, mean + deviation, color=GREY, alpha=0.15, linewidth=0)
        axes.axhline(mean, color=GREY, linestyle="--", label="baseline")
    for number, curve in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        layers = sorted(curve.scores)
        means, deviations = np.array([_mean_band(curve.scores[layer]) for layer in layers]).T
        axes.fill_between(layers, means - deviations, means + deviations, color=colour, alpha=0.18, linewidth=0)
        axes.plot(layers, means, color=colour, marker=MARKERS[number % len(MARKERS)], markersize=5, label=curve.label)
        dots = [(layer, score) for layer in layers for score in curve.scores[layer]]
        axes.scatter(*zip(*dots, strict=True), color=colour, s=9, alpha=0.7, linewidths=0)
    for curve in panel.curves:
        for layer, marker, size, fill, name in (
            (curve.chosen, "*", 15, "#F0E442", "chosen on development data"),
            (curve.oracle, "o", 13, "none", "oracle (best zero-shot score)"),
        ):
            if layer is not None and layer in curve.scores:
                look: dict[str, Any] = {"color": "black", "markerfacecolor": fill, "linestyle": "none", "zorder": 4}
                axes.plot(layer, fmean(curve.scores[layer]), marker=marker, markersize=size, label=name, **look)
    axes.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    axes.set_ylabel(panel.ylabel)
    axes.yaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def heat_map(
    columns: Sequence[Column],
    train_language: str,
    reference: str = "baseline",
    average_label: str = "zero-shot average",
) -> Figure:
    """Languages, ordered by family, times models: the difference to the reference, in colour and number.

    The training language has an asterisk, a score at chance level a question mark, a missing one a dash.
    """
    families = by_family({language for column in columns for language in column.differences})
    languages = [language for family in families.values() for language in family]
    values = np.array(
        [[column.average for column in columns]]
        + [[column.differences.get(language, np.nan) for column in columns] for language in languages]
    )
    names_height = 0 if _is_curve(columns) else 0.075 * max(len(column.name) for column in columns)
    with style.context(STYLE):
        figure = new_figure(3.6 + 0.46 * max(len(columns), 5), 1.7 + 0.215 * len(values) + names_height)
        axes = figure.add_subplot()
        limit = _colour_limit(values)
        mesh = axes.pcolormesh(
            values, cmap=DIVERGING, norm=Normalize(-limit, limit), edgecolors="white", linewidth=0.5
        )
        axes.set_facecolor("#eeeeee")
        axes.invert_yaxis()
        for (row, column), value in np.ndenumerate(values):
            doubtful = row > 0 and languages[row - 1] in columns[column].doubtful
            text = f"{signed(value)}{'?' if doubtful else ''}".replace("-", "−")
            colour = "#555555" if np.isnan(value) else ink(DIVERGING((value / limit + 1) / 2))
            weight = "bold" if row == 0 else "normal"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour, weight=weight)
        names = [language_label(language, train_language) for language in languages]
        axes.set_yticks(np.arange(len(values)) + 0.5, [average_label, *names])
        axes.get_yticklabels()[0].set_fontweight("bold")
        _mark_families(axes, families)
        _mark_groups(axes, columns)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0)
        clipped = bool(np.nanmax(np.abs(values), initial=0) > limit)
        bar = figure.colorbar(
            mesh, ax=axes, orientation="horizontal", aspect=35, pad=0.01, extend="both" if clipped else "neither"
        )
        bar.locator = MaxNLocator(7, steps=[1, 2, 5, 10])
        bar.update_ticks()
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.set_label(f"difference to the {reference}, points")
    return figure


def _mark_families(axes: Axes, families: Mapping[str, Sequence[str]]) -> None:
    """Family names on the right, lines between the families."""
    start, middles = 1, []
    axes.axhline(start, color="black", linewidth=1.2)
    for family in families.values():
        middles.append(start + len(family) / 2)
        start += len(family)
        axes.axhline(start, color="#777777", linewidth=0.6)
    right = axes.secondary_yaxis("right")
    right.set_yticks(middles, list(families), color=GREY)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)


def _mark_groups(axes: Axes, columns: Sequence[Column]) -> None:
    """Fusion layers above the columns of a single group, names of models above several, lines between groups."""
    groups = [column.group for column in columns]
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    ticks = np.arange(len(columns)) + 0.5
    if _is_curve(columns):
        axes.set_xticks(ticks, [str(column.layer) for column in columns])
        axes.set_xlabel(f"{groups[0]}: fusion layer k")
    else:
        axes.set_xticks(ticks, [column.name for column in columns], rotation=90)
    for place in range(1, len(columns)):
        if groups[place] != groups[place - 1]:
            axes.axvline(place, color="black", linewidth=1)


def _is_curve(columns: Sequence[Column]) -> bool:
    """Whether the columns are the layers of one group."""
    return len({column.group for column in columns}) == 1 and columns[0].layer is not None


def intervals(lines: Sequence[Interval], xlabel: str) -> Figure:
    """Differences to the baseline with their intervals, one line a model, the first on top."""
    with style.context(STYLE):
        figure = new_figure(6.4, 0.9 + 0.26 * len(lines))
        axes = figure.add_subplot()
        axes.axvline(0, color=GREY, linestyle="--", linewidth=1)
        for row, line in enumerate(lines):
            axes.plot([line.low, line.high], [row, row], color=COLOURS[0], linewidth=2, solid_capstyle="butt")
            axes.plot(line.seeds, [row] * len(line.seeds), "|", color=GREY, markersize=6)
            axes.plot([line.difference], [row], "o", color=COLOURS[0], markersize=5)
        axes.set_yticks(range(len(lines)), [line.label for line in lines])
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(xlabel)
    return figure


def scatter(panels: Sequence[ScatterPanel], ylabel: str) -> Figure:
    """Panels beside one another: differences with their intervals over a measure; what does not count is hollow."""
    labels = list(dict.fromkeys(point.label for panel in panels for point in panel.points))
    with style.context(STYLE):
        columns = min(len(labels), 2 if any(len(label) > 14 for label in labels) else 4)
        rows = -(-len(labels) // columns)
        figure = new_figure(0.8 + 3.4 * max(len(panels), 2), 3.6 + 0.2 * rows)
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        marks = {}
        for axes, panel in zip(all_axes, panels, strict=True):
            axes.axhline(0, color=GREY, linestyle="--", linewidth=1)
            for point in panel.points:
                place = labels.index(point.label)
                colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place // len(COLOURS) % len(MARKERS)]
                fill = colour if point.counts else "white"
                axes.plot([point.x, point.x], [point.low, point.high], color=colour, linewidth=1.2, alpha=0.6)
                (marks[point.label],) = axes.plot(
                    [point.x], [point.y], marker, color=colour, markerfacecolor=fill, markersize=7, linestyle="none"
                )
            axes.margins(x=0.1)
            axes.set_xlabel(panel.xlabel)
            axes.xaxis.set_major_locator(MaxNLocator(6))
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
        all_axes[0].set_ylabel(ylabel)
        handles = [marks[label] for label in labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _mean_band(scores: Sequence[float]) -> tuple[float, float]:
    """Mean and half the height of the band, nothing for a single seed."""
    mean, deviation = mean_std(scores)
    return mean, float(np.nan_to_num(deviation))


def _colour_limit(values: np.ndarray) -> float:
    """Where the colours end: one language far out does not wash out the others, and noise alone is not colourful."""
    known = np.abs(values[~np.isnan(values)])
    return max(1.0, float(np.quantile(known, 0.98))) if known.size else 1.0
