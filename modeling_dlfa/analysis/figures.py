"""The pictures of the analyses: functions make a matplotlib `Figure` from plain numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import COLOURS, GREY, MARKERS, STYLE, new_figure
from ..vectors import FUSED
from .measures import Measure


def layer_curves(measures: Sequence[Measure]) -> Figure:
    """A panel for every `Measure.panel`, under one another, over the layers.

    A line joins the means, its band is the interval; a lone mark at the right is the state after fusion; dashed: what
    `Measure.level` says.
    """
    panels: dict[str, list[Measure]] = {}
    for measure in measures:
        panels.setdefault(measure.panel, []).append(measure)
    depth = max(layer for measure in measures for layer in measure.numbered)
    fused = any(FUSED in measure.values for measure in measures)
    with style.context(STYLE):
        figure = new_figure(min(11.0, max(7.2, 3.6 + 0.3 * depth)), 0.6 + 2.2 * len(panels))
        all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, of_panel) in zip(all_axes, panels.items(), strict=True):
            _draw_panel(axes, of_panel, depth)
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        _name_layers(all_axes[-1], depth, fused, 1 if depth <= 24 else 2)
        figure.align_ylabels(all_axes)
    return figure


def small_multiples(panels: Mapping[str, Mapping[str, Measure]], first: str, bands: bool) -> Figure:
    """A panel for every measure, in two columns, over the layers: a line for each model, which looks the same in all.

    Args:
        panels: title -> name of a model -> its measure.
        first: the model that the others are compared with, which is black and dashed, above them.
        bands: whether intervals are drawn; with many lines that lie near each other they hide what there is to see.
    """
    measures = [measure for of_panel in panels.values() for measure in of_panel.values()]
    names = [name for name in dict.fromkeys(name for one in panels.values() for name in one) if name != first]
    looks = {first: {"color": "black", "linestyle": (0, (4, 2)), "marker": ""}}
    looks |= {name: _look(number) for number, name in enumerate(names)}
    depth = max(layer for measure in measures for layer in measure.numbered)
    fused = any(FUSED in measure.values for measure in measures)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    lines: dict[str, Any] = {}
    with style.context(STYLE):
        figure = new_figure(columns * min(5.5, max(4.1, 1.6 + 0.24 * depth)), 0.9 + 2.3 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, of_panel) in zip(grid, panels.items()):
            for name in sorted(of_panel, key=lambda name: name == first):
                lines[name] = _draw_line(axes, of_panel[name], depth, name, bands, **looks[name])
            one = next(iter(of_panel.values()))
            if one.level is not None:
                axes.axhline(one.level, color=GREY, linestyle=":", linewidth=1)
            _finish(axes, one.unit)
            _name_layers(axes, depth, fused, 1 if depth <= 6 else 2 if depth <= 12 else 4)
            axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
        shown = [name for name in (first, *names) if name in lines]
        handles = [lines[name] for name in shown]
        figure.legend(handles, shown, loc="outside lower center", ncols=min(3, len(shown)), frameon=False)
    return figure


def _look(number: int) -> dict[str, Any]:
    """Of one line among many: colours come again with another marker and another dash."""
    again = number // len(COLOURS)
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": ("-", "-.", ":")[again % 3],
        "marker": MARKERS[(number + again) % len(MARKERS)],
    }


def _name_layers(axes: Any, depth: int, fused: bool, step: int) -> None:
    """Ticks and limits of axes over the layers, and of what lies behind the last one."""
    ticks = list(range(0, depth + 1, step))
    names = ["0\nembeddings", *map(str, ticks[1:])]
    axes.set_xticks([*ticks, *([depth + 1.5] if fused else [])], [*names, *(["after\nfusion"] if fused else [])])
    axes.set_xlim(-0.5, depth + (2.0 if fused else 0.5))
    axes.set_xlabel("layer")


def _draw_panel(axes: Any, measures: Sequence[Measure], depth: int) -> None:
    levels: dict[float, tuple[str, str]] = {}
    for number, measure in enumerate(measures):
        look = _look(number)
        _draw_line(axes, measure, depth, measure.label, True, **look)
        if measure.level is not None:
            levels.setdefault(measure.level, (measure.level_label, look["color"] if len(measures) > 1 else GREY))
    for level, (label, colour) in levels.items():
        axes.axhline(level, color=colour, linestyle=(0, (4, 3)), linewidth=1, label=label)
    _finish(axes, measures[0].unit)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


def _draw_line(
    axes: Any, measure: Measure, depth: int, label: str, bands: bool, color: str, marker: str, linestyle: Any
) -> Any:
    """The means of one measure, its intervals as a band, and at the right a lone mark for the state after fusion."""
    found = measure.numbered
    layers, means = list(found), [one.mean for one in found.values()]
    if bands:
        low, high = [one.low for one in found.values()], [one.high for one in found.values()]
        axes.fill_between(layers, low, high, color=color, alpha=0.18, linewidth=0)
    (line,) = axes.plot(layers, means, color=color, marker=marker, markersize=4.5, linestyle=linestyle, label=label)
    if FUSED in measure.values:
        one = measure.estimates[FUSED]
        if bands and one.known:
            axes.plot([depth + 1.5] * 2, [one.low, one.high], color=color, linewidth=1.2, alpha=0.6)
        axes.plot([depth + 1.5], [one.mean], color=color, marker=marker, markersize=6, linestyle="none")
    return line


def _finish(axes: Any, unit: str) -> None:
    axes.set_ylabel(unit)
    if unit == "%":  # bands end where values do
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -2), min(high, 102))
    axes.yaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
