"""The pictures of the analyses: functions make a matplotlib `Figure` from plain numbers."""

from collections.abc import Sequence

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
        step = 1 if depth <= 24 else 2
        ticks = list(range(0, depth + 1, step))
        names = ["0\nembeddings", *map(str, ticks[1:])]
        all_axes[-1].set_xticks(
            [*ticks, *([depth + 1.5] if fused else [])], [*names, *(["after\nfusion"] if fused else [])]
        )
        all_axes[-1].set_xlim(-0.5, depth + (2.0 if fused else 0.5))
        all_axes[-1].set_xlabel("layer")
        figure.align_ylabels(all_axes)
    return figure


def _draw_panel(axes, measures: Sequence[Measure], depth: int) -> None:
    levels: dict[float, tuple[str, str]] = {}
    for number, measure in enumerate(measures):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        found = measure.numbered
        layers = list(found)
        axes.fill_between(
            layers,
            [one.low for one in found.values()],
            [one.high for one in found.values()],
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        means = [one.mean for one in found.values()]
        axes.plot(layers, means, color=colour, marker=marker, markersize=4.5, label=measure.label)
        if FUSED in measure.values:
            one = measure.estimates[FUSED]
            if one.known:
                axes.plot([depth + 1.5] * 2, [one.low, one.high], color=colour, linewidth=1.2, alpha=0.6)
            axes.plot([depth + 1.5], [one.mean], color=colour, marker=marker, markersize=6, linestyle="none")
        if measure.level is not None:
            levels.setdefault(measure.level, (measure.level_label, colour if len(measures) > 1 else GREY))
    for level, (label, colour) in levels.items():
        axes.axhline(level, color=colour, linestyle=(0, (4, 3)), linewidth=1, label=label)
    axes.set_ylabel(measures[0].unit)
    if measures[0].unit == "%":  # bands end where values do
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -2), min(high, 102))
    axes.yaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
